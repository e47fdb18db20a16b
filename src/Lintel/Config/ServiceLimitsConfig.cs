using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>
/// A bulkhead: limits the requests to a service that are in flight, so that one slow service cannot take everything that the gateway has.
/// Beyond it: 503 <c>service-busy</c>.
/// </summary>
public sealed record ServiceLimitsConfig
{
    /// <summary><see cref="Concurrent"/> of an adaptive limit for which none is set.</summary>
    internal const int DefaultConcurrent = 1000;

    /// <summary>
    /// The maximum number of attempts in flight to all instances together, 1 to 1000000; with <see cref="Adaptive"/> the upper bound of
    /// what is found, at least 5. Default with <see cref="Adaptive"/>: 1000; required without.
    /// </summary>
    public int Concurrent { get; init; } = DefaultConcurrent;

    /// <summary>
    /// Whether the limit follows what the service takes without queueing, between 4 and <see cref="Concurrent"/>: found by comparing the
    /// latency of attempts, up to the response head, with that without load. Default: false.
    /// </summary>
    public bool Adaptive { get; init; }

    /// <summary>The maximum number of requests that wait for a place. Default 0, 0 to 1000000.</summary>
    public int Queue { get; init; }

    /// <summary>How long a request waits for a place. Default 1s, 1ms to 10m; never longer than <c>timeouts.request</c>.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(1);

    internal static Grammar<ServiceLimitsConfig> Grammar { get; } =
        new RecordGrammar<ServiceLimitsConfig>(static f =>
        {
            var d = new ServiceLimitsConfig();
            if (f.Has("queueTimeout") && !f.Has("queue"))
                f.Report("conflict", "queueTimeout", "`queueTimeout` applies to requests that wait, and none does", "add `queue`");
            var limits = new ServiceLimitsConfig
            {
                Concurrent = f.Get("concurrent", Scalars.Integer(1, 1_000_000), d.Concurrent),
                Adaptive = f.Get("adaptive", Scalars.Boolean, d.Adaptive),
                Queue = f.Get("queue", Scalars.Integer(0, 1_000_000), d.Queue),
                QueueTimeout = f.Get(
                    "queueTimeout",
                    Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
                    d.QueueTimeout
                ),
            };
            if (f.IsReading && !limits.Adaptive && !f.Has("concurrent"))
                f.Report(
                    "missing-key",
                    null,
                    "`concurrent` is missing",
                    "add `concurrent: 512`, or `adaptive: true` to have the limit found"
                );
            if (limits.Problem is { } problem)
                f.Report("conflict", "concurrent", problem.Message, problem.Hint);
            return limits;
        });

    /// <summary>A problem of the keys together and its remedy; <see langword="null"/> for none.</summary>
    internal (string Message, string Hint)? Problem =>
        Adaptive && Concurrent < LeastAdaptive
            ? (
                "an adaptive limit is at least 4, and has no room below `concurrent`",
                "raise `concurrent` to 5 or more, or remove `adaptive`"
            )
            : null;

    private const int LeastAdaptive = 5;
}
