using Lintel.Composition.Calls;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition.Merge;

/// <summary>Writes the answer of a composition whose calls have ended.</summary>
internal static class ComposedAnswer
{
    /// <summary>The largest answer that is sent together with its head, when the request ends.</summary>
    private const int SmallBody = 64 * 1024;

    /// <summary>
    /// Whether a field describes the answer in a way that only the gateway can, so that no expression may set it. (Framing fields cannot be
    /// configured at all.)
    /// </summary>
    public static bool Owns(string name) =>
        name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase)
        || name.Equals(CompositionField.Name, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a failed call's own answer becomes that of the composition.</summary>
    public static bool PassesThrough(CallResult result) =>
        result is { State: CallState.Failed, Status: { } status, Answers.Count: > 0 } && result.Call.Passthrough.Contains(status);

    public static async ValueTask<GatewayError?> SendAsync(CompositionRun run)
    {
        var exchange = run.Exchange;
        var response = exchange.Response;
        if (run.Decisive is { } own)
            return await PassAsync(run, own).ConfigureAwait(false);

        var shape = run.Shape;
        if (Head(run, shape) is { } unfit)
            return unfit;
        if (CompositeCaching.IsKnown(exchange.Request, response.Headers.ETag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return null;
        }

        response.StatusCode = shape.Status;
        response.ContentType ??= "application/json";
        var body = new JsonPieces();
        var error = JsonMerge.Compose(run, body) ?? await MeasureAsync(run, body).ConfigureAwait(false);
        if (error is null)
            return await WriteAsync(run, body).ConfigureAwait(false);
        return error;
    }

    /// <summary>Measures the output before it is written: it may be far longer than the answers that it is made of.</summary>
    public static async ValueTask<GatewayError?> MeasureAsync(CompositionRun run, JsonPieces text)
    {
        if (!text.TryMeasure(Math.Min(OffLoop.Threshold, run.Spent.BytesLeftToSend)))
        {
            await OffLoop.For(OffLoop.Threshold);
            if (!text.TryMeasure(run.Spent.BytesLeftToSend))
                return run.Spent.TooLong();
        }

        return run.Spent.TryCountSent(text.Counted) ? null : run.Spent.TooLong();
    }

    /// <summary>Writes the header that describes the results of the calls.</summary>
    public static void DescribeCalls(CompositionRun run, IHeaderDictionary headers)
    {
        headers[CompositionField.Name] = CompositionField.Render(run.Results);
        if (CompositionField.RenderProxyStatus(run.Results, run.Exchange.Snapshot.Identity.Name) is { } status)
            headers["Proxy-Status"] = status;
    }

    private static GatewayError? Head(CompositionRun run, AnswerShape shape)
    {
        var headers = run.Exchange.Response.Headers;
        DescribeCalls(run, headers);
        CompositeCaching.Describe(run, shape, headers);
        foreach (var (name, expression) in shape.Headers)
        {
            if (!expression.TryEvaluate(run.Scope.Of(), out var value, out var problem))
                return new GatewayError(
                    expression.Roots is [{ Name: "request" }] ? GatewayErrorKind.BadPlaceholder : GatewayErrorKind.ExpressionFailed,
                    $"`{(shape.Client is { } client ? "variants." + client : "respond")}.headers.{name}`: {problem}"
                );
            if (CallInputs.Scalar(value) is { Length: > 0 } text && Template.ForHeader(text) is { } line)
                headers[name] = line;
        }

        return null;
    }

    private static async ValueTask<GatewayError?> PassAsync(CompositionRun run, CallResult own)
    {
        var response = run.Exchange.Response;
        var answer = own.Answers[^1];
        DescribeCalls(run, response.Headers);
        response.StatusCode = answer.Status;
        CompositeCaching.DescribePassed(run, own, answer, response.Headers);
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
        var body = new JsonPieces();
        body.Add(answer.Body.Memory);
        body.TryMeasure(long.MaxValue);
        return await WriteAsync(run, body).ConfigureAwait(false);
    }

    private static async ValueTask<GatewayError?> WriteAsync(CompositionRun run, JsonPieces body)
    {
        var exchange = run.Exchange;
        var response = exchange.Response;
        response.ContentLength = body.Length;
        run.Pins.Settle();
        if (!ResponsePhase.Enter(exchange) || body.Length == 0)
            return null;
        // sends nothing yet; the writer has no buffer before
        await response.StartAsync(exchange.Aborted).ConfigureAwait(false);
        var writer = response.BodyWriter;
        if (body.Length <= SmallBody)
        {
            body.WriteTo(writer); // the server sends it with the head when the handler ends
            exchange.ResponseBytes += body.Length;
            return null;
        }

        await OffLoop.For(body.Length);
        using var limit = run.Sending.Begin();
        var isTaken =
            await body.WriteAsync(writer, writer, exchange.Aborted).ConfigureAwait(false)
            // the end of it too, within the answer's time limit
            && !(await writer.FlushAsync(exchange.Aborted).ConfigureAwait(false)).IsCompleted;
        exchange.ResponseBytes += body.Written;
        return isTaken ? null : new GatewayError(GatewayErrorKind.ClientAborted);
    }
}
