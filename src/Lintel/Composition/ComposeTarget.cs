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

/// <summary>The compiled form of a composing route: runs the plan's calls and answers with their results.</summary>
internal sealed class ComposeTarget(CallPlan plan, CompositionParts parts) : Target
{
    /// <summary>The call plan, for <c>explain</c>.</summary>
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
        var run = new CompositionRun(exchange, plan, parts, deadline) { ClientBody = body, Ended = stream is null ? null : stream.Take };
        GatewayError? error = null;
        try
        {
            if (body is not null && plan.ParsesBody)
            {
                await OffLoop.For(body.Length);
                if (ClientBody.Parse(run, body) is { } malformed)
                    return error = malformed;
            }

            if (stream is null)
            {
                await run.RunAsync().ConfigureAwait(false);
                await OffLoop.ForMerge(run.Spent.BytesReceived);
                if (run.Decisive is null && !run.IsClientGone)
                    JsonMerge.Settle(run);
                error = await FinishAsync(run).ConfigureAwait(false) ?? await SendAsync(run).ConfigureAwait(false);
            }
            else
            {
                error = await stream.RunAsync(run, () => FinishAsync(run), () => SendAsync(run)).ConfigureAwait(false);
            }

            if (error?.Kind == GatewayErrorKind.ClientAborted && run.Sending.IsOver)
                error = new GatewayError(GatewayErrorKind.SlowReader);
            return error;
        }
        catch (OperationCanceledException e) when (run.Sending.IsOver)
        {
            return error = new GatewayError(GatewayErrorKind.SlowReader, Cause: e);
        }
        catch (Exception e) when (e is not (OperationCanceledException or IOException))
        {
            await Compensations.RunAsync(run, all: true).ConfigureAwait(false); // a defect must not leave writes performed either
            throw;
        }
        finally
        {
            var partial = Array.Exists(run.Results, r => !r.IsWhole);
            parts.Compositions.Ended(
                plan.Route,
                error is not null ? "failed"
                    : partial ? "partial"
                    : "complete",
                run.Time.Elapsed
            );
            run.Release();
        }
    }

    /// <summary>Reads the client's body, within the composition's deadline.</summary>
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

    /// <summary>Runs after the last call: undoes writes if necessary, and records the result for the logs.</summary>
    /// <returns>The error if there is no answer; <see langword="null"/> also if a service's own answer passes through.</returns>
    private async ValueTask<GatewayError?> FinishAsync(CompositionRun run)
    {
        var exchange = run.Exchange;
        exchange.Upstream += run.Time.Elapsed;
        exchange.Attempts = run.Spent.Requests;
        var failed = run.Decisive;
        await Compensations.RunAsync(run, all: failed is not null || run.IsClientGone).ConfigureAwait(false);
        foreach (var result in run.Results)
        {
            if (result.Error is { } left && result != failed)
                parts.Errors.Record(left.WithCauseInLog(), plan.Route, result.Call.Request.Service.Name, result.Instance, exchange.TraceId);
        }

        if (run.IsClientGone)
            return new GatewayError(GatewayErrorKind.ClientAborted, Compensations.Describe(run.Results));
        if (failed is null || ComposedAnswer.PassesThrough(failed))
            return null;
        exchange.Service = failed.Call.Request.Service.Name;
        exchange.Instance = failed.Instance;
        return Describe(run, failed, failed.Error!);
    }

    /// <summary>Sends the answer. If it cannot be produced although its calls succeeded, their writes are undone.</summary>
    private static async ValueTask<GatewayError?> SendAsync(CompositionRun run)
    {
        GatewayError? error;
        try
        {
            error = await ComposedAnswer.SendAsync(run).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or IOException))
        {
            error = GatewayError.OfDefect(e);
        }

        if (error is null)
            return null;
        await Compensations.RunAsync(run, all: true).ConfigureAwait(false);
        return Describe(run, null, error);
    }

    /// <summary>Describes the failure of a required call as that of the answer: it names the call, and the results of the others.</summary>
    internal static GatewayError Describe(CompositionRun run, CallResult? failed, GatewayError error)
    {
        var headers = new List<KeyValuePair<string, string>> { new(CompositionField.Name, CompositionField.Render(run.Results)) };
        if (CompositionField.RenderProxyStatus(run.Results, run.Exchange.Snapshot.Identity.Name) is { } status)
            headers.Add(new("Proxy-Status", status));
        if (failed is not null && RetryAfter.Limit(failed.RetryAfter, run.Parts.Time.GetUtcNow()) is { } later)
            headers.Add(new("Retry-After", later));
        var detail = failed is null
            ? error.Detail
            : $"the call `{failed.Call.Name}` failed{(error.Detail is null ? "" : ": " + error.Detail)}";
        if (Compensations.Describe(run.Results) is { } undone)
            detail = detail is null ? undone : detail + "; " + undone;
        return (error with { Detail = detail, Headers = headers }).WithCauseInLog();
    }

    /// <summary>Returns the plan's own deadline, or a shorter one of the client's.</summary>
    private TimeSpan Deadline(Exchange exchange)
    {
        var deadline = plan.Deadline;
        if (GrpcTimeout.Parse(exchange.Request.Headers[GrpcTimeout.Header]) is { } grpc && grpc < deadline)
            deadline = grpc;

        // Not a standard; Envoy, Azure's and Google's gateways have similar headers, in seconds.
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
