using Lintel.Carriers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>Passes interim responses on to a client, mainly 103 Early Hints.</summary>
internal static class Interim
{
    /// <summary>Returns the feature that sends them; <see langword="null"/> for a client that should not receive them.</summary>
    /// <remarks>
    /// Only browsers that open a page receive them: others make no use of early hints, and some HTTP/1.1 clients mistake them for the final
    /// response (RFC 8297 section 3; nginx advises the same condition). A client that waits for 100 (Continue) gets it from Kestrel, and
    /// two writers cannot write at once.
    /// </remarks>
    public static IInformationalResponseFeature? To(ClientRequest request) =>
        request.IsHttp11 && request.Headers["Sec-Fetch-Mode"] is ["navigate"] && request.Headers.Expect.Count == 0
            ? request.Response.Interim
            : null;

    /// <summary>Sends an interim response to the client before the final one.</summary>
    public static async ValueTask SendAsync(
        IInformationalResponseFeature client,
        int status,
        IReadOnlyCollection<KeyValuePair<string, string>> fields,
        HeaderChanges changes
    )
    {
        var headers = new HeaderDictionary();
        var nominated = HeaderRules.Nominated(
            fields.Where(f => f.Key.Equals("Connection", StringComparison.OrdinalIgnoreCase)).Select(f => f.Value).ToArray()
        );
        foreach (var (name, value) in fields)
        {
            if (HeaderRules.KeepsResponse(name) && !changes.Removes(name) && (nominated is null || !nominated.Contains(name)))
                headers.Append(name, value);
        }

        try
        {
            await client.SendAsync(status, headers).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client disconnected: the final response will detect it.
        }
    }
}
