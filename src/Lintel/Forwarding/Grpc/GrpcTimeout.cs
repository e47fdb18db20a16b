using System.Globalization;

namespace Lintel.Forwarding.Grpc;

/// <summary>Parses the <c>grpc-timeout</c> header, the client's timeout for a call (PROTOCOL-HTTP2.md).</summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";

    /// <summary>The maximum of a timer; a longer call has no limit that matters.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    /// <summary>
    /// Parses at most eight digits and a unit. Anything else is <see langword="null"/>: the service decides how to respond to it.
    /// </summary>
    public static TimeSpan? Parse(string? text)
    {
        if (
            text is not { Length: >= 2 and <= 9 }
            || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        )
            return null;
        var ticks = text[^1] switch
        {
            'H' => value * TimeSpan.TicksPerHour,
            'M' => value * TimeSpan.TicksPerMinute,
            'S' => value * TimeSpan.TicksPerSecond,
            'm' => value * TimeSpan.TicksPerMillisecond,
            'u' => value * TimeSpan.TicksPerMicrosecond,
            'n' => value / TimeSpan.NanosecondsPerTick,
            _ => -1L,
        };
        return ticks < 0 ? null
            : ticks > Longest.Ticks ? Longest
            : new TimeSpan(ticks);
    }
}
