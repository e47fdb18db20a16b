using BenchmarkDotNet.Attributes;
using Lintel.Observability.Logs;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Benchmarks;

/// <summary>The whole spine with a target that answers by itself: match, trace context, metrics, no socket.</summary>
public class RoutePipelineBenchmarks
{
    private readonly DefaultHttpContext _plain = Requests.Plain("/users/42");
    private readonly DefaultHttpContext _browser = Requests.Browser("/users/42");
    private readonly HttpResponseFeature _response = new();
    private RoutePipeline _pipeline = null!;

    [GlobalSetup]
    public void Compile()
    {
        var metrics = Compiled.Metrics();
        var snapshots = new SnapshotHolder();
        snapshots.Swap(
            Compiled.Snapshot(
                "routes: { r: { match: \"/users/{id}\", respond: { body: \"{}\", contentType: application/json } } }",
                metrics
            )
        );
        _pipeline = new RoutePipeline(
            snapshots,
            new RequestAccount(
                new AccessLogSlot(TimeProvider.System, NullLogger.Instance),
                new ErrorLog(TimeProvider.System, NullLogger.Instance),
                metrics,
                TimeProvider.System
            ),
            TimeProvider.System
        );
        foreach (var context in (DefaultHttpContext[])[_plain, _browser])
            context.Features.Set<IHttpResponseFeature>(_response);
    }

    [Benchmark(Baseline = true)]
    public Task PlainRequest() => RunAsync(_plain);

    [Benchmark]
    public Task BrowserRequest() => RunAsync(_browser);

    private Task RunAsync(DefaultHttpContext context)
    {
        _response.StatusCode = StatusCodes.Status200OK;
        var done = _pipeline.RunAsync(context, default);
        return done.IsCompletedSuccessfully && _response.StatusCode == StatusCodes.Status200OK
            ? done
            : throw new InvalidOperationException($"status {_response.StatusCode}");
    }
}
