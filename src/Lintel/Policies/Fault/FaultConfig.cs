using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Fault;

/// <summary>Delays or refuses a share of the requests, to find out how clients cope with that.</summary>
/// <remarks>
/// The policy runs after all others that may refuse a request. With both <see cref="Delay"/> and <see cref="Abort"/>, the same requests are
/// delayed and then refused.
/// </remarks>
public sealed record FaultConfig : PolicyConfig
{
    internal const string Key = "fault";

    private const string NothingDone = "the policy has neither `delay` nor `abort` and would do nothing";

    private const string NothingHint = "add `delay: 300ms` to delay requests, or `abort: 503` to refuse them";

    private static readonly TimeSpan LongestDelay = TimeSpan.FromHours(1);

    /// <summary>
    /// The share of the matching requests that is affected, from 0 to 100 percent; each request is decided on its own, at random. 0
    /// switches the policy off. Default: 100.
    /// </summary>
    public double Percent { get; init; } = 100;

    /// <summary>
    /// How long an affected request waits before it is processed, from 1 ms to 1 h. It is part of the duration of the request. The wait
    /// ends when the client disconnects. Default: none.
    /// </summary>
    public TimeSpan? Delay { get; init; }

    /// <summary>
    /// The status, from 400 to 599, of the problem <c>fault-injected</c> that answers an affected request; gRPC calls get the equivalent
    /// gRPC status. Default: the request is not refused.
    /// </summary>
    public int? Abort { get; init; }

    /// <summary>The requests that may be affected; at least one condition. Default: all requests of the routes.</summary>
    public WhenConfig? When { get; init; }

    internal static Grammar<FaultConfig> Grammar { get; } =
        new RecordGrammar<FaultConfig>(static f =>
        {
            var fault = new FaultConfig
            {
                Percent = f.Get("percent", Scalars.Percent, 100),
                Delay = f.FindValue("delay", Scalars.Duration(TimeSpan.FromMilliseconds(1), LongestDelay)),
                Abort = f.FindValue("abort", Scalars.Integer(400, 599)),
                When = f.Find("when", WhenConfig.Grammar),
            };
            if (f.IsReading && !f.Has("delay") && !f.Has("abort"))
                f.Report("missing-key", null, NothingDone, NothingHint);
            return fault;
        });

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem =>
        this switch
        {
            { Delay: null, Abort: null } => (NothingDone, NothingHint),
            { Percent: not (>= 0 and <= 100) } => ("`Percent` is out of range", "set it from 0 to 100"),
            { Delay: { } delay } when delay <= TimeSpan.Zero || delay > LongestDelay => (
                "`Delay` is out of range",
                "set it from 1 ms to 1 h"
            ),
            { Abort: not (null or (>= 400 and <= 599)) } => ("`Abort` is not the status of an error", "set it from 400 to 599"),
            _ => null,
        };
}
