using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition.Calls;

/// <summary>The client's body as a whole: for calls that refer to it, and for policies that look into it.</summary>
internal static class ClientBody
{
    /// <summary>Reads the complete body.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="body">Receives the body.</param>
    /// <param name="limit">The maximum length, in bytes.</param>
    /// <param name="left">The maximum time: of a composition, whose deadline is already running, what is left of it.</param>
    /// <param name="time">The clock.</param>
    public static async ValueTask<GatewayError?> ReadAsync(Exchange exchange, AnswerBody body, long limit, TimeSpan left, TimeProvider time)
    {
        // Not with a cancellation token: Kestrel treats a read that a token cancels as still pending, and reports it as an error when the
        // request is over.
        var reader = exchange.Request.BodyReader;
        using var ends = new CancellationTokenSource(left, time);
        await using var cancel = ends.Token.UnsafeRegister(static r => ((PipeReader)r!).CancelPendingRead(), reader).ConfigureAwait(false);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(CancellationToken.None).ConfigureAwait(false); // a client disconnect ends it too
                try
                {
                    if (read.IsCanceled)
                        return new GatewayError(
                            GatewayErrorKind.RequestTimeout,
                            $"the request body was not received in the {left.TotalSeconds:0.###} s that were left for it"
                        );
                    exchange.RequestBytes += read.Buffer.Length;
                    if (body.Length + read.Buffer.Length > limit)
                        return new GatewayError(GatewayErrorKind.BodyTooLarge, $"the limit is {limit} bytes");
                    foreach (var piece in read.Buffer)
                        body.Write(piece.Span);
                }
                finally
                {
                    reader.AdvanceTo(read.Buffer.End);
                }

                if (read.IsCompleted)
                    return null;
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

    /// <summary>Provides it to expressions as <c>request</c>.</summary>
    public static GatewayError? Parse(CompositionRun run, AnswerBody body)
    {
        if (body.Length == 0)
            return null;
        try
        {
            run.Scope.Set(run.Plan.RequestSlot, AnswerReader.Parse(body, run.Documents, isJudged: true));
            return null;
        }
        catch (JsonException e)
        {
            return new GatewayError(GatewayErrorKind.BadRequestBody, "the request body is not valid JSON: " + e.Message, e);
        }
    }
}
