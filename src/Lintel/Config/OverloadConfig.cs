using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>
/// Limits beyond which the gateway counts as overloaded and refuses a growing share of requests with 503 <c>overloaded</c>, those of routes
/// with <c>priority: low</c> first. <c>off</c> disables it.
/// </summary>
public sealed record OverloadConfig
{
    internal const double DefaultMemory = 85;

    internal static readonly TimeSpan DefaultLoopDelay = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// The share of the available memory that may be in use after a garbage collection: of the control group's limit, of the heap's limit,
    /// or of the machine's memory, whichever is closest to its limit. Default 85%, from 10% to 99%; <c>off</c> disables it.
    /// </summary>
    public double? Memory { get; init; } = DefaultMemory;

    /// <summary>
    /// How long work may wait for an event loop or the thread pool. Shorter waits among the last half second excuse longer ones: a single
    /// stall is no overload. Default 50ms (the duration from which a blocked loop is reported), 5ms to 10s; <c>off</c> disables it.
    /// </summary>
    public TimeSpan? LoopDelay { get; init; } = DefaultLoopDelay;

    /// <summary>
    /// The share of the available CPU time that may be used within a second: of the control group's quota, or of all processors of the
    /// process. Default <c>off</c>, because a busy CPU alone delays nobody; from 10% to 100%.
    /// </summary>
    public double? Cpu { get; init; }

    /// <summary>Sheds nothing.</summary>
    public static OverloadConfig Off { get; } = new() { Memory = null, LoopDelay = null };

    internal static Grammar<OverloadConfig> Grammar { get; } =
        new ShortFormGrammar<OverloadConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out OverloadConfig value) =>
            {
                value = Off;
                if (scalar.Text == SwitchableGrammar.Off)
                    return true;
                report.Add(
                    "bad-value",
                    scalar,
                    path,
                    $"`{scalar.Written}` is neither `off` nor a map of limits",
                    "write `off`, or limits such as `{ memory: 85%, loopDelay: 50ms }`"
                );
                return false;
            },
            SwitchableGrammar.Off,
            new RecordGrammar<OverloadConfig>(static f => new OverloadConfig
            {
                Memory = f.Get("memory", SwitchableGrammar.Of(Scalars.PercentOf(10, 99)), DefaultMemory),
                LoopDelay = f.Get(
                    "loopDelay",
                    SwitchableGrammar.Of(Scalars.Duration(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(10))),
                    DefaultLoopDelay
                ),
                Cpu = f.Get("cpu", SwitchableGrammar.Of(Scalars.PercentOf(10, 100)), null),
            })
        );
}
