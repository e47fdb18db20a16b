using System.Diagnostics;
using System.Net;
using Lintel.Config;
using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>What mirrors need of the gateway.</summary>
internal sealed record MirrorParts(GatewayMetrics Metrics, MemoryBudget Memory, TimeProvider Time);

/// <summary>Sends copies of some requests to a second service and throws its answers away. The caller never waits for it and never sees it fail.</summary>
/// <remarks>
/// A copy is sent when the original has ended. Bounded: bodies up to <see cref="MaxBodyBytes"/>, <see cref="MaxInFlight"/> copies at once, and the memory of all that are recorded or sent by the gateway's budget; what is beyond is counted and not copied.
/// </remarks>
internal sealed class Mirror(Service service, double percent, Random random, MirrorParts parts)
{
    /// <summary>A copy is kept in memory while its original streams through.</summary>
    public const int MaxBodyBytes = 1024 * 1024;

    /// <summary>A slow mirror service must not collect requests without end.</summary>
    public const int MaxInFlight = 64;

    private int _inFlight;

    /// <summary>Decides whether this request is copied, and if so begins to record its body.</summary>
    public BodyRecorder? Record(Exchange exchange)
    {
        if (random.NextDouble() * 100 >= percent)
            return null;
        if (Volatile.Read(ref _inFlight) >= MaxInFlight)
        {
            parts.Metrics.Mirrored(service.Name, "overloaded");
            return null;
        }

        return new BodyRecorder(exchange.Request, exchange.HasBody, MaxBodyBytes, parts.Memory);
    }

    /// <summary>Sends the copy, on its own.</summary>
    public void Send(BodyRecorder recorder, UpstreamRequest request)
    {
        recorder.Stop();
        if (!recorder.IsComplete)
        {
            recorder.Discard();
            parts.Metrics.Mirrored(service.Name, recorder.GaveUp == BodyRecorder.GaveUpFor.Memory ? "overloaded" : "incomplete-body");
            return;
        }

        if (Interlocked.Increment(ref _inFlight) <= MaxInFlight)
        {
            _ = SendAsync(recorder, request);
            return;
        }

        // Many were recorded at once: those that ended first are being sent.
        Interlocked.Decrement(ref _inFlight);
        recorder.Discard();
        parts.Metrics.Mirrored(service.Name, "overloaded");
    }

    private async Task SendAsync(BodyRecorder recorder, UpstreamRequest request)
    {
        var body = recorder.Body;
        // The caller's thread ends its own request first.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var result = "failed";
        Activity? span = null;
        try
        {
            var instance = service.Balancer.Pick();
            span = AttemptSpan.Start(request.Method, request.PathAndQuery, request.Trace, service, instance, resends: 0);
            using var message = new HttpRequestMessage(new HttpMethod(request.Method), (Uri?)null)
            {
                Version = service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = body is { } bytes ? new ReadOnlyMemoryContent(bytes) : null,
            };
            UpstreamMessage.Fill(message, service, instance, request, span);
            if (message.Content is not null)
                message.Content.Headers.ContentLength = body!.Value.Length;
            using var deadline = new CancellationTokenSource(service.RequestTimeout, parts.Time);
            if (service.Config.Protocol == ServiceProtocol.Http1)
                Http1Exchange.Current.Value = new Http1Exchange(null); // interim answers are counted
            using var response = await service.Invoker.SendAsync(message, deadline.Token).ConfigureAwait(false);
            result = "sent";
            if (span is not null)
                AttemptSpan.Describe(span, (int)response.StatusCode, null);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Counted below; a mirror's failure is nobody's failure.
        }
        finally
        {
            span?.Stop();
            recorder.Discard();
            Interlocked.Decrement(ref _inFlight);
            parts.Metrics.Mirrored(service.Name, result);
        }
    }
}
