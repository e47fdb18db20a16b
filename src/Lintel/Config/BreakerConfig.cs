using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>
/// A circuit breaker: refuses requests to a service that fails too often, so that it can recover and clients do not wait for it. Failures
/// are attempts without a response, and statuses from 500 to 599.
/// </summary>
public sealed record BreakerConfig
{
    /// <summary>The share of failed attempts that opens the breaker. Default 0.5, from 0.01 to 1.</summary>
    public double FailureRatio { get; init; } = 0.5;

    /// <summary>Attempts within the window that a decision requires. Default 20, 1 to 1000000.</summary>
    public int MinimumRequests { get; init; } = 20;

    /// <summary>The length of the window, in ten buckets of exact length. Default 10s, 1s to 10m.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the breaker refuses every request after it has opened. Default 5s (Polly's), 100ms to 1h.</summary>
    public TimeSpan OpenFor { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The requests that are then admitted; if all of them succeed, the breaker closes, with the first failure it opens again. Default 3, 1
    /// to 1000.
    /// </summary>
    public int Probes { get; init; } = 3;

    internal static Grammar<BreakerConfig> Grammar { get; } =
        new RecordGrammar<BreakerConfig>(static f =>
        {
            var d = new BreakerConfig();
            return new BreakerConfig
            {
                FailureRatio = f.Get("failureRatio", Scalars.Ratio, d.FailureRatio),
                MinimumRequests = f.Get("minimumRequests", Scalars.Integer(1, 1_000_000), d.MinimumRequests),
                Window = f.Get("window", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)), d.Window),
                OpenFor = f.Get("openFor", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.OpenFor),
                Probes = f.Get("probes", Scalars.Integer(1, 1000), d.Probes),
            };
        });
}
