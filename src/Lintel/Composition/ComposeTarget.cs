using System.Globalization;
using System.Runtime.CompilerServices;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Pipeline;
using Lintel.Transport.Memory;

namespace Lintel.Composition;

/// <summary>What a composing route is compiled to: runs the plan's calls and answers with what they brought.</summary>
internal sealed class ComposeTarget(CallPlan plan, CompositionParts parts) : Target
{
    /// <summary>What is composed, for <c>explain</c>.</summary>
    public CallPlan Plan => plan;

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public override async ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        var deadline = Deadline(exchange);
        AnswerBody? body = null;
        if (plan.ReadsBody)
        {
            body = new AnswerBody();
            if (await ReadAsync(exchange, body, deadline).ConfigureAwait(false) is { } unreadable)
                return unreadable;
            deadline = Left(exchange, deadline);
        }

        var stream = plan.Streams ? new StreamedAnswer(exchange, plan) : null;
        var runner = new CallRunner(exchange, plan, parts, deadline) { ClientBody = body, Ended = stream is null ? null : stream.Take };
        GatewayError? error = null;
        try
        {
            if (body is not null && plan.ParsesBody)
            {
                await OffLoop.For(body.Length);
                if (ClientBody.Parse(runner, body) is { } malformed)
                    return error = malformed;
            }

            if (stream is null)
            {
                await runner.RunAsync().ConfigureAwait(false);
                await OffLoop.ForMerge(runner.BytesReceived);
                if (runner.Decisive is null && !runner.HasClientLeft)
                    JsonMerge.Settle(runner);
                error = await FinishAsync(runner).ConfigureAwait(false) ?? await SendAsync(runner).ConfigureAwait(false);
            }
            else
            {
                error = await stream.RunAsync(runner, () => FinishAsync(runner), () => SendAsync(runner)).ConfigureAwait(false);
            }

            if (error?.Kind == GatewayErrorKind.ClientAborted && runner.IsSendingOver)
                error = new GatewayError(GatewayErrorKind.SlowReader);
            return error;
        }
        catch (OperationCanceledException e) when (runner.IsSendingOver)
        {
            return error = new GatewayError(GatewayErrorKind.SlowReader, Cause: e);
        }
        catch (Exception e) when (e is not (OperationCanceledException or IOException))
        {
            await Compensations.RunAsync(runner, all: true).ConfigureAwait(false); // a defect leaves nothing done either
            throw;
        }
        finally
        {
            var partial = Array.Exists(runner.Results, r => !r.IsWhole);
            parts.Compositions.Ended(
                plan.Route,
                error is not null ? "failed"
                    : partial ? "partial"
                    : "complete",
                parts.Time.GetElapsedTime(runner.Started)
            );
            runner.Release();
        }
    }

    /// <summary>Reads the client's body, whose time is part of the answer's.</summary>
    private async ValueTask<GatewayError?> ReadAsync(Exchange exchange, AnswerBody body, TimeSpan deadline)
    {
        GatewayError? error = null;
        try
        {
            body.TakeFrom(parts.Memory, BufferUse.RequestBody);
            return error = await ClientBody
                .ReadAsync(exchange, body, plan.Limits.Call, Left(exchange, deadline), parts.Time)
                .ConfigureAwait(false);
        }
        catch (Exception e)
        {
            error = GatewayError.OfDefect(e);
            throw;
        }
        finally
        {
            if (error is not null)
                body.Release();
        }
    }

    private TimeSpan Left(Exchange exchange, TimeSpan deadline)
    {
        var left = deadline - parts.Time.GetElapsedTime(exchange.StartTimestamp);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>After the last call: undoes what has to be undone, and tells the logs.</summary>
    /// <returns>Why there is no answer; <see langword="null"/> also where a service's own answer passes through.</returns>
    private async ValueTask<GatewayError?> FinishAsync(CallRunner runner)
    {
        var exchange = runner.Exchange;
        exchange.Upstream += parts.Time.GetElapsedTime(runner.Started);
        exchange.Attempts = runner.Requests;
        var failed = runner.Decisive;
        await Compensations.RunAsync(runner, all: failed is not null || runner.HasClientLeft).ConfigureAwait(false);
        foreach (var result in runner.Results)
        {
            if (result.Error is { } left && result != failed)
                parts.Errors.Record(left.WithCauseInLog(), plan.Route, result.Call.Request.Service.Name, result.Instance, exchange.TraceId);
        }

        if (runner.HasClientLeft)
            return new GatewayError(GatewayErrorKind.ClientAborted, Compensations.Describe(runner.Results));
        if (failed is null || ComposedAnswer.PassesThrough(failed))
            return null;
        exchange.Service = failed.Call.Request.Service.Name;
        exchange.Instance = failed.Instance;
        return Describe(runner, failed, failed.Error!);
    }

    /// <summary>Sends the answer. One that cannot be made, though its calls succeeded, leaves nothing done.</summary>
    private static async ValueTask<GatewayError?> SendAsync(CallRunner runner)
    {
        GatewayError? error;
        try
        {
            error = await ComposedAnswer.SendAsync(runner).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or IOException))
        {
            error = GatewayError.OfDefect(e);
        }

        if (error is null)
            return null;
        await Compensations.RunAsync(runner, all: true).ConfigureAwait(false);
        return Describe(runner, null, error);
    }

    /// <summary>
    /// The failure of a required call is the answer's: the client learns which call it was, and what became of the others.
    /// </summary>
    internal static GatewayError Describe(CallRunner runner, CallResult? failed, GatewayError error)
    {
        var headers = new List<KeyValuePair<string, string>> { new(CompositionField.Name, CompositionField.Render(runner.Results)) };
        if (CompositionField.RenderProxyStatus(runner.Results, runner.Exchange.Snapshot.Identity.Name) is { } status)
            headers.Add(new("Proxy-Status", status));
        if (failed is not null && RetryAfter.Limit(failed.RetryAfter, runner.Parts.Time.GetUtcNow()) is { } later)
            headers.Add(new("Retry-After", later));
        var detail = failed is null
            ? error.Detail
            : $"the call `{failed.Call.Name}` failed{(error.Detail is null ? "" : ": " + error.Detail)}";
        if (Compensations.Describe(runner.Results) is { } undone)
            detail = detail is null ? undone : detail + "; " + undone;
        return (error with { Detail = detail, Headers = headers }).WithCauseInLog();
    }

    /// <summary>The plan's own deadline, or a shorter one of the client's.</summary>
    private TimeSpan Deadline(Exchange exchange)
    {
        var deadline = plan.Deadline;
        if (GrpcTimeout.Parse(exchange.Request.Headers[GrpcTimeout.Header]) is { } grpc && grpc < deadline)
            deadline = grpc;

        // Not a standard; Envoy, Azure's and Google's gateways know the like of it, in seconds.
        if (
            double.TryParse(
                exchange.Request.Headers["Request-Timeout"],
                NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture,
                out var seconds
            )
            && seconds > 0
            && seconds < deadline.TotalSeconds
        )
            deadline = TimeSpan.FromSeconds(seconds);
        return deadline;
    }
}
