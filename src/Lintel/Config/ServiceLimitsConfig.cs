using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>
/// A bulkhead: limits the requests to a service that are in flight, so that one slow service cannot take everything that the gateway has.
/// Beyond it: 503 <c>service-busy</c>.
/// </summary>
public sealed record ServiceLimitsConfig
{
    /// <summary>The maximum number of attempts in flight to all instances together, 1 to 1000000.</summary>
    public required int Concurrent { get; init; }

    /// <summary>The maximum number of requests that wait for a place. Default 0, 0 to 1000000.</summary>
    public int Queue { get; init; }

    /// <summary>How long a request waits for a place. Default 1s, 1ms to 10m; never longer than <c>timeouts.request</c>.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(1);

    internal static Grammar<ServiceLimitsConfig> Grammar { get; } =
        new RecordGrammar<ServiceLimitsConfig>(static f =>
        {
            f.NotYet("adaptive");
            var d = new ServiceLimitsConfig { Concurrent = 1 };
            if (f.Has("queueTimeout") && !f.Has("queue"))
                f.Report("conflict", "queueTimeout", "`queueTimeout` applies to requests that wait, and none does", "add `queue`");
            return new ServiceLimitsConfig
            {
                Concurrent = f.Require("concurrent", Scalars.Integer(1, 1_000_000)),
                Queue = f.Get("queue", Scalars.Integer(0, 1_000_000), d.Queue),
                QueueTimeout = f.Get(
                    "queueTimeout",
                    Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
                    d.QueueTimeout
                ),
            };
        });
}
