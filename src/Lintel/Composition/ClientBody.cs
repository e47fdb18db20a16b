using System.Text.Json;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition;

/// <summary>The client's body, for calls that name it.</summary>
internal static class ClientBody
{
    /// <summary>Reads it whole.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="body">Where it goes.</param>
    /// <param name="limit">How long it may be.</param>
    /// <param name="left">How long it may take: the answer's time runs already.</param>
    /// <param name="time">The clock.</param>
    public static async ValueTask<GatewayError?> ReadAsync(Exchange exchange, AnswerBody body, long limit, TimeSpan left, TimeProvider time)
    {
        using var ends = new CancellationTokenSource(left, time);
        try
        {
            while (true)
            {
                // That the client leaves ends the read too.
                var count = await exchange.Request.Body.ReadAsync(body.Room(), ends.Token).ConfigureAwait(false);
                if (count == 0)
                    return null;
                body.Advance(count);
                exchange.RequestBytes += count;
                if (body.Length > limit)
                    return new GatewayError(GatewayErrorKind.BodyTooLarge, $"at most {limit} bytes are taken here");
            }
        }
        catch (OperationCanceledException e) when (ends.IsCancellationRequested && !exchange.Context.RequestAborted.IsCancellationRequested)
        {
            return new GatewayError(GatewayErrorKind.RequestTimeout, "the body was not there within the time for the answer", e);
        }
        catch (BadHttpRequestException e)
        {
            return GatewayError.OfRequestBody(e);
        }
        catch (IOException e)
        {
            return new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e);
        }
    }

    /// <summary>Gives it to expressions, as <c>request</c>.</summary>
    public static GatewayError? Parse(CallRunner runner, AnswerBody body)
    {
        if (body.Length == 0)
            return null;
        try
        {
            runner.Set(runner.Plan.RequestSlot, AnswerReader.Parse(body, runner.Documents, isJudged: true));
            return null;
        }
        catch (JsonException e)
        {
            return new GatewayError(GatewayErrorKind.BadRequestBody, "the body is not JSON: " + e.Message, e);
        }
    }
}
