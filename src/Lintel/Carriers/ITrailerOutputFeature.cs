using Microsoft.AspNetCore.Http;

namespace Lintel.Carriers;

/// <summary>
/// Ends a chunked HTTP/1.1 response with trailers. Kestrel sends them over HTTP/2 only; a listener that supports it adds it to the
/// request's features.
/// </summary>
internal interface ITrailerOutputFeature
{
    /// <summary>Called after the whole body was written, and before the response is completed.</summary>
    /// <param name="trailers">Fields with valid names and values.</param>
    public void Send(IHeaderDictionary trailers);
}
