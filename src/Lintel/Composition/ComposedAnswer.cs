using System.IO.Pipelines;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition;

/// <summary>Writes the answer of a composition whose calls have ended.</summary>
internal static class ComposedAnswer
{
    /// <summary>Up to here an answer goes out with its head in one piece, when the request ends.</summary>
    private const int SmallBody = 64 * 1024;

    /// <summary>Whether a failed call's own answer is the composition's.</summary>
    public static bool PassesThrough(CallResult result) => result is { State: CallState.Failed, Status: { } status, Answers.Count: > 0 } && result.Call.Passthrough.Contains(status);

    public static async ValueTask<GatewayError?> SendAsync(CallRunner runner)
    {
        var exchange = runner.Exchange;
        var response = exchange.Response;
        if (runner.Decisive is { } own)
            return await PassAsync(runner, own).ConfigureAwait(false);

        var shape = runner.Plan.ShapeFor(exchange.Request);
        JsonMerge.Join(runner);
        if (Head(runner, shape) is { } unfit)
            return ComposeTarget.Describe(runner, null, unfit);
        if (CompositeCaching.IsKnown(exchange.Request, response.Headers.ETag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return null;
        }

        response.StatusCode = shape.Status;
        response.ContentType = "application/json";
        if (JsonMerge.Pieces(runner, shape) is { } pieces)
            return await WriteAsync(exchange, pieces).ConfigureAwait(false);
        var body = new AnswerBody();
        runner.Own(body);
        if (JsonMerge.Write(runner, shape, body) is { } error)
        {
            response.Clear();
            return ComposeTarget.Describe(runner, null, error);
        }

        return await WriteAsync(exchange, [body.Memory]).ConfigureAwait(false);
    }

    /// <summary>Says what became of the calls.</summary>
    public static void Tell(CallRunner runner, IHeaderDictionary headers)
    {
        headers[CompositionField.Name] = CompositionField.Render(runner.Results);
        if (CompositionField.RenderProxyStatus(runner.Results, runner.Exchange.Snapshot.Identity.Name) is { } status)
            headers["Proxy-Status"] = status;
    }

    private static GatewayError? Head(CallRunner runner, AnswerShape shape)
    {
        var headers = runner.Exchange.Response.Headers;
        Tell(runner, headers);
        CompositeCaching.Describe(runner, shape, headers);
        foreach (var (name, expression) in shape.Headers)
        {
            if (!expression.TryEvaluate(runner.Scope(), out var value, out var problem))
                return new GatewayError(GatewayErrorKind.ExpressionFailed, problem);
            if (CallInputs.Scalar(value) is { Length: > 0 } text && Template.ForHeader(text) is { } line)
                headers[name] = line;
        }

        return null;
    }

    private static async ValueTask<GatewayError?> PassAsync(CallRunner runner, CallResult own)
    {
        var response = runner.Exchange.Response;
        var answer = own.Answers[^1];
        Tell(runner, response.Headers);
        response.StatusCode = answer.Status;
        response.Headers.CacheControl = answer.CacheControl ?? "no-store";
        if (answer.ContentType is { } type)
            response.ContentType = type;
        if (answer.Location is { } location)
            response.Headers.Location = location;
        if (answer.RetryAfter is { } later)
            response.Headers.RetryAfter = later;
        if (answer.Challenge is { } challenge)
            response.Headers.WWWAuthenticate = challenge;
        if (answer.ContentEncoding is { } encoding)
            response.Headers.ContentEncoding = encoding;
        return await WriteAsync(runner.Exchange, [answer.Body.Memory]).ConfigureAwait(false);
    }

    private static async ValueTask<GatewayError?> WriteAsync(Exchange exchange, ReadOnlyMemory<byte>[] pieces)
    {
        var response = exchange.Response;
        var length = 0L;
        foreach (var piece in pieces)
            length += piece.Length;
        response.ContentLength = length;
        if (HttpMethods.IsHead(exchange.Request.Method) || length == 0)
            return null;
        await response.StartAsync(exchange.Context.RequestAborted).ConfigureAwait(false); // sends nothing yet; the writer has no room before
        var writer = response.BodyWriter;
        foreach (var piece in pieces)
        {
            if (length <= SmallBody)
            {
                Write(writer, piece.Span); // the server sends it with the head when the handler ends
                exchange.ResponseBytes += piece.Length;
                continue;
            }

            for (var at = 0; at < piece.Length; at += SmallBody)
            {
                var written = await writer.WriteAsync(piece.Slice(at, Math.Min(SmallBody, piece.Length - at)), exchange.Context.RequestAborted).ConfigureAwait(false);
                if (written.IsCompleted)
                    return new GatewayError(GatewayErrorKind.ClientAborted); // it takes no more
                exchange.ResponseBytes += Math.Min(SmallBody, piece.Length - at);
            }
        }

        return null;
    }

    /// <summary>Asks for room by name: to a writer whose client has just left, "some" is none, and the framework's own way of writing fails.</summary>
    private static void Write(PipeWriter writer, ReadOnlySpan<byte> piece)
    {
        while (!piece.IsEmpty)
        {
            var room = writer.GetSpan(1);
            var count = Math.Min(room.Length, piece.Length);
            piece[..count].CopyTo(room);
            writer.Advance(count);
            piece = piece[count..];
        }
    }
}
