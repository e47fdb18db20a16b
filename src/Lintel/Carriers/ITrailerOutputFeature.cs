using Microsoft.AspNetCore.Http;

namespace Lintel.Carriers;

/// <summary>
/// Ends a chunked HTTP/1.1 response with trailers. Kestrel sends them over HTTP/2 only; a listener that can offers it with the request's
/// features.
/// </summary>
internal interface ITrailerOutputFeature
{
    /// <summary>To be called when the whole body was written, and before the response is completed.</summary>
    /// <param name="trailers">Fields whose names and values are valid already.</param>
    public void Send(IHeaderDictionary trailers);
}
