using BenchmarkDotNet.Attributes;
using Lintel.Config;
using Lintel.Observability.Metrics;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Polly;
using Polly.CircuitBreaker;

namespace Lintel.Benchmarks;

/// <summary>A successful attempt passes a closed circuit breaker: the gateway's own, and Polly's around the same completed attempt.</summary>
[MemoryDiagnoser]
public class BreakerBenchmarks
{
    private readonly CircuitBreaker _own = new(
        "s",
        new BreakerConfig(),
        new ServiceParts(
            TimeProvider.System,
            Random.Shared,
            new GatewayMetrics(
                new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>()
            ),
            NullLogger.Instance
        )
    );
    private readonly ResiliencePipeline<int> _polly = new ResiliencePipelineBuilder<int>()
        .AddCircuitBreaker(
            new CircuitBreakerStrategyOptions<int>
            {
                FailureRatio = 0.5,
                MinimumThroughput = 20,
                SamplingDuration = TimeSpan.FromSeconds(10),
                ShouldHandle = static a => new ValueTask<bool>(a.Outcome.Result >= 500),
            }
        )
        .Build();

    [Benchmark(Baseline = true)]
    public int Own()
    {
        var now = TimeProvider.System.GetTimestamp();
        if (_own.Enter(now, out var isProbe) is not null)
            return 503;
        _own.Record(now, AttemptVerdict.Success, isProbe);
        return 200;
    }

    [Benchmark]
    public async ValueTask<int> PollyCore()
    {
        var context = ResilienceContextPool.Shared.Get();
        var outcome = await _polly
            .ExecuteOutcomeAsync(static (_, _) => new ValueTask<Outcome<int>>(Outcome.FromResult(200)), context, 0)
            .ConfigureAwait(false);
        ResilienceContextPool.Shared.Return(context);
        return outcome.Result;
    }
}
