using System.Diagnostics;
using Lintel.Services;
using Lintel.Services.Connections;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>Writes a prepared request into the HTTP client's message.</summary>
internal static class UpstreamMessage
{
    /// <summary>Nothing is added to the target: it was normalised and is sent to the letter.</summary>
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <param name="message">What the HTTP client sends.</param>
    /// <param name="service">Says what <c>Host</c> is.</param>
    /// <param name="instance">Where it goes.</param>
    /// <param name="request">What is sent.</param>
    /// <param name="span">The attempt's own span, the parent of the service's; <see langword="null"/> where nobody records it.</param>
    public static void Fill(HttpRequestMessage message, Service service, Instance instance, UpstreamRequest request, Activity? span)
    {
        message.RequestUri = new Uri(instance.Prefix + instance.BasePath + request.PathAndQuery, AsItIs);
        HostField.Set(message, service.HostFor(instance, request.Host));
        foreach (var (name, values) in request.Headers)
            Add(message, name, values);
        if (request.SendsTraceContext)
            message.Headers.TryAddWithoutValidation("traceparent", request.Trace.ToTraceParent(span));
    }

    private static void Add(HttpRequestMessage message, string name, StringValues values)
    {
        // HTTP/2 clients may send a cookie in pieces; HTTP/1.1 wants one line (RFC 9113 section 8.2.3).
        if (values.Count > 1 && name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
            values = string.Join("; ", values.ToArray());
        var isAdded =
            values.Count == 1
                ? message.Headers.TryAddWithoutValidation(name, values[0])
                : message.Headers.TryAddWithoutValidation(name, values.ToArray());
        if (!isAdded)
            ContentFields.Add(message, name, values);
    }
}
