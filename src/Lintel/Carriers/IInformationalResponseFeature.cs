using Microsoft.AspNetCore.Http;

namespace Lintel.Carriers;

/// <summary>
/// Sends interim responses to a client before the final one (RFC 9110 section 15.2). Kestrel has nothing of the kind; a listener that has
/// offers it with the request's features.
/// </summary>
internal interface IInformationalResponseFeature
{
    /// <summary>Sends one at once.</summary>
    /// <param name="status">100 to 199, but not 101.</param>
    /// <param name="headers">Its fields.</param>
    public ValueTask SendAsync(int status, IHeaderDictionary headers);
}
