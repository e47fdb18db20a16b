using System.Diagnostics;
using System.Net;
using Lintel.Config;
using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Services;

namespace Lintel.Forwarding;

/// <summary>Sends copies of some requests to a second service and throws its answers away. The caller never waits for it and never sees it fail.</summary>
/// <remarks>A copy is sent when the original has ended. Bounded: bodies up to <see cref="MaxBodyBytes"/>, <see cref="MaxInFlight"/> copies at once; what is beyond is counted and not copied.</remarks>
internal sealed class Mirror(Service service, double percent, Random random, GatewayMetrics metrics, TimeProvider time)
{
    /// <summary>A copy is kept in memory while its original streams through: 64 of these are 64 MiB.</summary>
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
            metrics.Mirrored(service.Name, "overloaded");
            return null;
        }

        return new BodyRecorder(exchange.Request, exchange.HasBody, MaxBodyBytes);
    }

    /// <summary>Sends the copy, on its own.</summary>
    public void Send(BodyRecorder recorder, UpstreamRequest request)
    {
        recorder.Stop();
        if (!recorder.IsComplete)
        {
            metrics.Mirrored(service.Name, "incomplete-body");
            return;
        }

        Interlocked.Increment(ref _inFlight);
        _ = SendAsync(recorder.Body, request);
    }

    private async Task SendAsync(ReadOnlyMemory<byte>? body, UpstreamRequest request)
    {
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
            using var deadline = new CancellationTokenSource(service.RequestTimeout, time);
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
            Interlocked.Decrement(ref _inFlight);
            metrics.Mirrored(service.Name, result);
        }
    }
}
