using System.Net;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Lintel.Services.Connections;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>
/// Sends copies of some requests to a second service and discards the responses. The caller never waits for a copy and never sees it fail.
/// </summary>
/// <remarks>
/// A copy is sent when the original has ended. Limits: bodies up to <see cref="MaxBodyBytes"/>, <see cref="MaxInFlight"/> copies at once,
/// and the gateway's budget for the memory of all copies that are recorded or sent; a request beyond them is counted and not copied.
/// </remarks>
internal sealed class Mirror(Service service, double percent, Random random, ForwardParts parts)
{
    /// <summary>The largest body that is copied: a copy is kept in memory while its original is streamed.</summary>
    public const int MaxBodyBytes = 1024 * 1024;

    /// <summary>The maximum number of copies in flight: a slow mirror service must not accumulate requests without limit.</summary>
    public const int MaxInFlight = 64;

    private int _inFlight;

    /// <summary>Decides whether this request is copied, and if so starts recording its body.</summary>
    public BodyRecorder? Record(Exchange exchange)
    {
        if (random.NextDouble() * 100 >= percent)
            return null;
        if (Volatile.Read(ref _inFlight) >= MaxInFlight)
        {
            parts.Metrics.Mirrored(service.Name, "overloaded");
            return null;
        }

        return new BodyRecorder(exchange.Request, exchange.HasBody, MaxBodyBytes, parts.Memory, BufferUse.Mirror)
        {
            Key = service.KeyOf(exchange),
        };
    }

    /// <summary>Sends the copy in the background.</summary>
    public void Send(BodyRecorder recorder, UpstreamRequest request)
    {
        recorder.Stop();
        if (!recorder.IsComplete)
        {
            recorder.Discard();
            parts.Metrics.Mirrored(service.Name, recorder.GaveUp == BodyRecorder.NoCopyReason.Memory ? "overloaded" : "incomplete-body");
            return;
        }

        if (service.Affinity is { } affinity)
            request.RemoveCookie(affinity.Cookie); // the original has ended
        if (Interlocked.Increment(ref _inFlight) <= MaxInFlight)
        {
            _ = SendAsync(recorder, request);
            return;
        }

        // More were recorded than may be sent: those that ended first are being sent.
        Interlocked.Decrement(ref _inFlight);
        recorder.Discard();
        parts.Metrics.Mirrored(service.Name, "overloaded");
    }

    private async Task SendAsync(BodyRecorder recorder, UpstreamRequest request)
    {
        // The caller's thread ends its own request first.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var result = "failed";
        try
        {
            if (await TrySendAsync(recorder, request).ConfigureAwait(false))
                result = "sent";
        }
        finally
        {
            recorder.Discard();
            Interlocked.Decrement(ref _inFlight);
            parts.Metrics.Mirrored(service.Name, result);
        }
    }

    /// <summary>Makes one attempt: a lost copy has no consequences.</summary>
    private async ValueTask<bool> TrySendAsync(BodyRecorder recorder, UpstreamRequest request)
    {
        var body = recorder.Body;
        var attempts = new AttemptSeries(
            service,
            new AttemptRequest(request.Method, request.PathAndQuery, IsWhole: true, Idempotency.Allows(request.Method))
            {
                Key = recorder.Key,
            },
            parts.Attempts
        );
        var now = parts.Time.GetTimestamp();
        if (!attempts.TryChoose())
            return false;
        if (!attempts.TryAdmit(now, out var refused))
        {
            if (refused is null)
                attempts.Waited(Bulkhead.Full); // a copy does not wait for a place
            return false;
        }

        attempts.Begin(request.Trace, now);
        int? status = null;
        GatewayError? error = null;
        using var deadline = new CancellationTokenSource(service.RequestTimeout, parts.Time);
        try
        {
            using var message = new HttpRequestMessage(new HttpMethod(request.Method), (Uri?)null)
            {
                Version = service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = body is { } bytes ? new ReadOnlyMemoryContent(bytes) : null,
            };
            UpstreamMessage.Fill(message, service, attempts.Instance, request, attempts.Span);
            if (message.Content is not null)
                message.Content.Headers.ContentLength = body!.Value.Length;
            if (service.Config.Protocol == ServiceProtocol.Http1)
                Http1Exchange.Current.Value = new Http1Exchange(null); // interim responses are counted
            using var response = await service.Invoker.SendAsync(message, deadline.Token).ConfigureAwait(false);
            status = (int)response.StatusCode;
        }
        catch (Exception e)
        {
            error = HandlerFailures.Of(
                e,
                AttemptPhase.AwaitingHead,
                deadline.IsCancellationRequested ? GatewayErrorKind.ResponseTimeout : null
            );
        }
        finally
        {
            attempts.End(status, error);
        }

        return error is null;
    }
}
