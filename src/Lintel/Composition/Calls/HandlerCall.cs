using System.Net;
using System.Net.Http.Headers;
using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Services.Connections;

namespace Lintel.Composition.Calls;

/// <summary>Makes one attempt of a call with .NET's HTTP handler: HTTP/2, and HTTP/1.1 without event loops.</summary>
internal static class HandlerCall
{
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public static async ValueTask<FetchOutcome> SendAsync(CallAttempts attempts)
    {
        var timer = attempts.Timer(attempts.LeftForAnswer);
        CallAnswer? answer = null;
        try
        {
            using var message = Write(attempts);
            if (!attempts.TrySend())
                return CallAttempts.Canceled;
            if (attempts.Request.Service.Config.Protocol == Config.ServiceProtocol.Http1)
                Http1Exchange.Current.Value = new Http1Exchange(null); // interim responses are counted
            using var response = await attempts.Request.Service.Invoker.SendAsync(message, timer.Token).ConfigureAwait(false);
            answer = ReadHead(response);
            answer.Body.TakeFrom(attempts.Run.Parts.Memory);
            if (answer.Status == 101)
                return attempts.Explain(new GatewayError(GatewayErrorKind.ProtocolError)); // what follows would belong to another protocol
            if (response.Content.Headers.ContentLength > attempts.Run.Plan.Limits.Call)
                return TooLarge(answer, attempts.Run.Plan.Limits.Call);
            using var stream = await response.Content.ReadAsStreamAsync(timer.Token).ConfigureAwait(false);
            return await ReadBodyAsync(attempts.Run, stream, answer, timer.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            answer?.Body.Release();
            return attempts.Explain(
                HandlerFailures.Of(
                    e,
                    answer is null ? AttemptPhase.AwaitingHead : AttemptPhase.Body,
                    timer.IsCancellationRequested || attempts.LeftForAnswer <= TimeSpan.Zero ? GatewayErrorKind.ResponseTimeout : null
                )
            );
        }
        finally
        {
            attempts.EndTimer(timer);
        }
    }

    private static HttpRequestMessage Write(CallAttempts attempts)
    {
        var instance = attempts.Instance;
        var request = attempts.Request;
        var run = attempts.Run;
        var isHttp2 = request.Service.Config.Protocol == Config.ServiceProtocol.Http2;
        var message = new HttpRequestMessage(
            new HttpMethod(request.Method),
            new Uri(instance.Prefix + instance.BasePath + request.Target, AsItIs)
        )
        {
            Version = isHttp2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        HostField.Set(message, request.Service.HostFor(instance, run.Exchange.Host));
        foreach (var (name, values) in run.Fields.ListFor(request))
            message.Headers.TryAddWithoutValidation(name, values.ToArray());
        foreach (var (name, value) in request.Headers ?? [])
            message.Headers.TryAddWithoutValidation(name, value);
        if (request.IfNoneMatch is { } tag)
            message.Headers.TryAddWithoutValidation("If-None-Match", tag);
        message.Headers.TryAddWithoutValidation("traceparent", run.Exchange.Trace.ToTraceParent(attempts.Span));
        if (request.Body is { } body)
        {
            message.Content = new ReadOnlyMemoryContent(body);
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.ContentType);
        }
        else if (!attempts.IsRepeatable)
        {
            // the handler does not resend a request with a body, even an empty one, when a pooled connection closes
            message.Content = new ReadOnlyMemoryContent(ReadOnlyMemory<byte>.Empty);
        }

        return message;
    }

    private static CallAnswer ReadHead(HttpResponseMessage response)
    {
        var answer = new CallAnswer { Status = (int)response.StatusCode };
        Take(response.Headers.NonValidated, answer);
        Take(response.Content.Headers.NonValidated, answer);
        return answer;
    }

    private static void Take(HttpHeadersNonValidated headers, CallAnswer answer)
    {
        foreach (var (name, values) in headers)
        {
            foreach (var value in values)
                answer.Take(name, value);
        }
    }

    private static async ValueTask<FetchOutcome> ReadBodyAsync(
        CompositionRun run,
        Stream stream,
        CallAnswer answer,
        CancellationToken cancellation
    )
    {
        while (true)
        {
            var count = await stream.ReadAsync(answer.Body.Room(), cancellation).ConfigureAwait(false);
            if (count == 0)
                return answer;
            answer.Body.Advance(count);
            if (answer.Body.Length > run.Plan.Limits.Call)
                return TooLarge(answer, run.Plan.Limits.Call);
            if (!run.Spent.TryCountBytes(count))
                return TooLarge(answer, run.Plan.Limits.Total);
        }
    }

    private static FetchOutcome TooLarge(CallAnswer answer, long limit)
    {
        answer.Body.Release();
        return new GatewayError(GatewayErrorKind.AnswerTooLarge, $"the limit is {limit} bytes");
    }
}
