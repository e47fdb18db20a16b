using System.Text.Json;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition;

/// <summary>The client's body, for calls that name it.</summary>
internal static class ClientBody
{
    /// <summary>Reads it whole.</summary>
    public static async ValueTask<GatewayError?> ReadAsync(Exchange exchange, AnswerBody body, long limit)
    {
        try
        {
            while (true)
            {
                var count = await exchange.Request.Body.ReadAsync(body.Room(), exchange.Context.RequestAborted).ConfigureAwait(false);
                if (count == 0)
                    return null;
                body.Advance(count);
                exchange.RequestBytes += count;
                if (body.Length > limit)
                    return new GatewayError(GatewayErrorKind.BodyTooLarge, $"at most {limit} bytes are taken here");
            }
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
            runner.Set(runner.Plan.RequestSlot, AnswerReader.Parse(body.Memory, runner.Documents));
            return null;
        }
        catch (JsonException e)
        {
            return new GatewayError(GatewayErrorKind.BadRequestBody, "the body is not JSON: " + e.Message, e);
        }
    }
}
