using System.Globalization;

namespace Lintel.Bench.Faulty;

/// <summary>What an instance does wrong.</summary>
internal enum FaultKind
{
    /// <summary><c>well</c>: nothing.</summary>
    Well,

    /// <summary><c>half</c>: every second request is answered with 500, a gRPC call with UNAVAILABLE.</summary>
    Half,

    /// <summary><c>rst N</c>: instead of every Nth answer the connection is reset.</summary>
    Rst,

    /// <summary><c>cut N</c>: every Nth answer ends half-way, and the connection with it.</summary>
    Cut,

    /// <summary><c>fin</c>: the connection is closed after each answer, which does not say so. HTTP/1.1 only: over HTTP/2 it would be a reset of other streams.</summary>
    Fin,
}

/// <summary>The fault in force.</summary>
/// <param name="Kind">What is done wrong.</param>
/// <param name="Every">To which of the requests: every so many.</param>
/// <param name="Delay">How long each request takes; a fault may be slow too.</param>
internal sealed record Fault(FaultKind Kind, int Every, TimeSpan Delay)
{
    /// <summary>Nothing is wrong, and nothing is waited for.</summary>
    public static Fault None { get; } = new(FaultKind.Well, 1, TimeSpan.Zero);

    /// <exception cref="FormatException">The words are not a fault.</exception>
    public static Fault Parse(string[] words, Fault current) =>
        words switch
        {
            ["delay", var milliseconds] => current with { Delay = TimeSpan.FromMilliseconds(Number(milliseconds)) },
            ["well"] => current with { Kind = FaultKind.Well, Every = 1 },
            ["half"] => current with { Kind = FaultKind.Half, Every = 2 },
            ["rst", var every] => current with { Kind = FaultKind.Rst, Every = Number(every) },
            ["cut", var every] => current with { Kind = FaultKind.Cut, Every = Number(every) },
            ["fin"] => current with { Kind = FaultKind.Fin, Every = 1 },
            _ => throw new FormatException($"`{string.Join(' ', words)}`: delay MS, well, half, rst N, cut N, fin, capacity N, count"),
        };

    public static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
