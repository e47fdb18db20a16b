using Lintel.Carriers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>Interim responses on their way to a client: 103 Early Hints above all.</summary>
internal static class Interim
{
    /// <summary>What tells the client of them; <see langword="null"/> for a client that is better not told.</summary>
    /// <remarks>
    /// Browsers that open a page are: others make nothing of early hints, and some HTTP/1.1 clients take them for the answer (RFC 8297
    /// section 3; nginx advises the same condition). A client that waits for 100 (Continue) gets that one from Kestrel, and two cannot
    /// write at once.
    /// </remarks>
    public static IInformationalResponseFeature? To(ClientRequest request) =>
        request.IsHttp11 && request.Headers["Sec-Fetch-Mode"] is ["navigate"] && request.Headers.Expect.Count == 0
            ? request.Response.Interim
            : null;

    /// <summary>An interim response goes on to the client before the final one.</summary>
    public static async ValueTask TellAsync(
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
            // The client left: the final response will find out.
        }
    }
}
