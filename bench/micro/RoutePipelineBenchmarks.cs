using BenchmarkDotNet.Attributes;
using Lintel.Carriers;
using Lintel.Observability.Logs;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Benchmarks;

/// <summary>The whole pipeline with a target that answers itself: match, trace context, metrics, no socket.</summary>
public class RoutePipelineBenchmarks
{
    private readonly ClientRequest _plain = new(Requests.Plain("/users/42"));
    private readonly ClientRequest _browser = new(Requests.Browser("/users/42"));
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
            new Shedding(metrics, Random.Shared),
            TimeProvider.System
        );
        foreach (var request in (ClientRequest[])[_plain, _browser])
            request.AsHttpContext().Features.Set<IHttpResponseFeature>(_response);
    }

    [Benchmark(Baseline = true)]
    public Task PlainRequest() => RunAsync(_plain);

    [Benchmark]
    public Task BrowserRequest() => RunAsync(_browser);

    private Task RunAsync(ClientRequest request)
    {
        _response.StatusCode = StatusCodes.Status200OK;
        var done = _pipeline.RunAsync(request, default);
        return done.IsCompletedSuccessfully && _response.StatusCode == StatusCodes.Status200OK
            ? done
            : throw new InvalidOperationException($"status {_response.StatusCode}");
    }
}
