using Microsoft.AspNetCore.Http;

namespace Lintel.Carriers;

/// <summary>
/// Sends interim responses to a client before the final one (RFC 9110 section 15.2). Kestrel has no such feature; a listener that supports
/// it adds it to the request's features.
/// </summary>
internal interface IInformationalResponseFeature
{
    /// <summary>Sends an interim response immediately.</summary>
    /// <param name="status">100 to 199, but not 101.</param>
    /// <param name="headers">The fields of the response.</param>
    public ValueTask SendAsync(int status, IHeaderDictionary headers);
}
