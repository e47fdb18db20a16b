using System.Globalization;

namespace Lintel.Pipeline;

/// <summary>
/// Renders <c>Server-Timing</c> (https://www.w3.org/TR/server-timing/) for clients: the milliseconds up to the response's head, in services
/// and in the gateway.
/// </summary>
internal sealed class ServerTiming(TimeProvider time)
{
    public const string HeaderName = "Server-Timing";

    /// <summary>The field's value; <see langword="null"/> for a response without participation of a service.</summary>
    public string? Render(Exchange exchange)
    {
        if (exchange.Attempts == 0)
            return null;
        var underWay = exchange.AttemptTimestamp == 0 ? TimeSpan.Zero : time.GetElapsedTime(exchange.AttemptTimestamp);
        return Render(exchange.Upstream + underWay, time.GetElapsedTime(exchange.StartTimestamp));
    }

    private static string Render(TimeSpan upstream, TimeSpan total) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"upstream;dur={upstream.TotalMilliseconds:0.###}, gateway;dur={Math.Max(0, (total - upstream).TotalMilliseconds):0.###}"
        );
}
