using System.Globalization;

namespace Lintel.Forwarding.Grpc;

/// <summary>The <c>grpc-timeout</c> header: how long the client gives its call (PROTOCOL-HTTP2.md).</summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";

    /// <summary>Timers take no more; a call of that length has no limit that matters.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    /// <summary>At most eight digits and a unit. Anything else is <see langword="null"/>: the service says what it thinks of it.</summary>
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
