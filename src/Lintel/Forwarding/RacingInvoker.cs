using System.Runtime.ExceptionServices;

namespace Lintel.Forwarding;

/// <summary>
/// Sends the first attempt of a race for YARP, which can pass on only one response for a client's request: the own one, or that of a hedge.
/// </summary>
/// <param name="inner">Sends the request.</param>
/// <param name="first">The first attempt.</param>
internal sealed class RacingInvoker(HttpMessageInvoker inner, HedgedAttempt first) : HttpMessageInvoker(new Unused(), disposeHandler: false)
{
    public override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ExceptionDispatchInfo? failure = null;
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, first.CutOffToken);
        try
        {
            var response = await inner.SendAsync(request, ends.Token).ConfigureAwait(false);
            if (first.TryWin((int)response.StatusCode))
                return response;
            response.Dispose();
        }
        catch (Exception e)
        {
            failure = ExceptionDispatchInfo.Capture(e);
        }

        if (first.Race.LeaveToHedges() && await first.Race.Handoff.Task.ConfigureAwait(false) is { } other)
            return other;
        failure?.Throw();
        throw new HttpRequestException("The response was left to a hedge, which failed.");
    }

    private sealed class Unused : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
