using System.Diagnostics.Metrics;
using Lintel.Observability.Logs;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests;

/// <summary>
/// The spine in memory: requests go through all phases of a configuration, and the answer is looked at before any server has it.
/// </summary>
internal sealed class Spine : IDisposable
{
    private readonly SnapshotHolder _snapshots = new();
    private readonly ErrorLog _errors = new(TimeProvider.System, NullLogger.Instance);
    private readonly RoutePipeline _pipeline;

    public Spine(string yaml)
        : this(GatewayReader.Snapshot(yaml)) { }

    public Spine(Snapshot snapshot)
    {
        _snapshots.Swap(snapshot);
        var metrics = TestMetrics.Create(out var meter);
        (Meter, Shedding) = (meter, new Shedding(metrics, new Random(1)));
        _pipeline = new RoutePipeline(
            _snapshots,
            new RequestAccount(new AccessLogSlot(TimeProvider.System, NullLogger.Instance), _errors, metrics, TimeProvider.System),
            Shedding,
            TimeProvider.System
        );
    }

    /// <summary>The gateway's instruments.</summary>
    public Meter Meter { get; }

    /// <summary>Sheds nothing until the test sets its level.</summary>
    public Shedding Shedding { get; }

    /// <summary>Sends a request; the answer is in the context's response, its body in memory.</summary>
    public async Task<HttpResponse> SendAsync(HttpContext context)
    {
        context.Response.Body = new MemoryStream();
        await _pipeline.RunAsync(context.AsClient(), default);
        return context.Response;
    }

    public Task<HttpResponse> SendAsync(string method, string target, params (string Name, string Value)[] headers) =>
        SendAsync(TestRequest.Create(method, target, headers: headers));

    public void Dispose() => _errors.Dispose();
}
