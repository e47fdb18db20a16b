using System.Diagnostics;
using Lintel.Observability.Metrics;

namespace Lintel.Observability.Traces;

/// <summary>The gateway's spans: one for each request, one for each attempt.</summary>
internal static class GatewayTracing
{
    internal static ActivitySource Source { get; } = new(GatewayTelemetry.ActivitySourceName);

    /// <summary>
    /// Whether a new trace is recorded: decided by its random last 56 bits, so that every node with the same ratio decides alike.
    /// </summary>
    /// <remarks>The rule of OpenTelemetry's consistent probability sampling and W3C Trace Context level 2.</remarks>
    internal static bool Samples(ActivityTraceId trace, double percent)
    {
        Span<byte> bytes = stackalloc byte[16];
        trace.CopyTo(bytes);
        var random = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) & 0x00FF_FFFF_FFFF_FFFF;
        return random >= (1 - (percent / 100)) * (1UL << 56);
    }

    /// <summary>The method as an attribute, and the original method if it is unknown.</summary>
    internal static void SetMethod(Activity span, string method)
    {
        var known = GatewayMetrics.KnownMethod(method);
        span.SetTag("http.request.method", known);
        if (!ReferenceEquals(known, method) && known != method)
            span.SetTag("http.request.method_original", method);
    }

    /// <summary>In span names an unknown method is <c>HTTP</c> (semantic conventions, HTTP spans, «Name»).</summary>
    internal static string NameOf(string method) => GatewayMetrics.KnownMethod(method) is var known && known == "_OTHER" ? "HTTP" : known;
}
