using System.Diagnostics;
using Lintel.Services;
using Lintel.Services.Connections;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>Writes a prepared request into the HTTP client's message.</summary>
internal static class UpstreamMessage
{
    /// <summary>Disables canonicalization: the target is already normalized and is sent verbatim.</summary>
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <param name="message">The HTTP client's message.</param>
    /// <param name="service">Determines <c>Host</c>.</param>
    /// <param name="instance">The destination.</param>
    /// <param name="request">The request to send.</param>
    /// <param name="span">The attempt's span, the parent of the service's; <see langword="null"/> if it is not recorded.</param>
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
        // HTTP/2 clients may split a cookie into pieces; HTTP/1.1 requires one line (RFC 9113 section 8.2.3).
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
