using Lintel.Services;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>Writes a prepared request into the HTTP client's message.</summary>
internal static class UpstreamMessage
{
    /// <summary>Nothing is added to the target: it was normalised and is sent to the letter.</summary>
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public static void Fill(HttpRequestMessage message, Service service, Instance instance, UpstreamRequest request)
    {
        message.RequestUri = new Uri(instance.Prefix + instance.BasePath + request.PathAndQuery, AsItIs);
        message.Headers.Host = service.HostFor(instance) ?? request.Host;
        foreach (var (name, values) in request.Headers)
            Add(message, name, values);
    }

    private static void Add(HttpRequestMessage message, string name, StringValues values)
    {
        // HTTP/2 clients may send a cookie in pieces; HTTP/1.1 wants one line (RFC 9113 section 8.2.3).
        if (values.Count > 1 && name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
            values = string.Join("; ", values.ToArray());
        if (values.Count == 1)
        {
            if (!message.Headers.TryAddWithoutValidation(name, values[0]))
                message.Content?.Headers.TryAddWithoutValidation(name, values[0]);
        }
        else if (!message.Headers.TryAddWithoutValidation(name, values.ToArray()))
        {
            message.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
        }
    }
}
