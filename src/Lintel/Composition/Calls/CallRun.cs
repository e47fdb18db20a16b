using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Metrics;

namespace Lintel.Composition.Calls;

/// <summary>Runs one call of a composition: its condition, its request or requests, its value or fallback.</summary>
internal sealed class CallRun(CompositionRun run, CallResult result)
{
    private static readonly GatewayError GivenUp = new(GatewayErrorKind.ClientAborted);

    private readonly PlannedCall _call = result.Call;
    private AnswerFetcher _fetcher = null!; // set by RunAsync
    private long _due;
    private long? _awaitedUntil;

    /// <summary>Cancels the call: the composition failed before the call could begin.</summary>
    public void GiveUp()
    {
        result.State = CallState.Canceled;
        run.Finished(result);
    }

    /// <summary>Runs the call. Never throws: the outcome is in the result.</summary>
    public async Task RunAsync()
    {
        var started = run.Parts.Time.GetTimestamp();
        result.State = CallState.Running;
        _due = run.Time.DueAfter(_call.Config.Timeout, started);
        _awaitedUntil = _call.Config.Compensate is { } undo ? run.Time.AwaitedUntil(_call.Config.Timeout, undo.Timeout, started) : null;
        var span = CallSpan.Start(run, _call);
        _fetcher = new AnswerFetcher(run, result, span);
        GatewayError? error;
        try
        {
            if (_call.Needs.Length > 0)
                await OffLoop.For(run.Spent.BytesReceived); // its expressions look into what was received
            error = MissingBefore() ?? CheckCondition();
            if (error is null && result.State == CallState.Running)
            {
                if (_call.FanOut is { } fanOut)
                    error = await new FanOutRun(run, this, result, fanOut).RunAsync().ConfigureAwait(false);
                else if ((error = Render(_call.Request, run.Scope.Of(), out var request)) is null)
                    error = Take(request, await _fetcher.FetchAsync(request).ConfigureAwait(false));
            }
        }
        catch (Exception e)
        {
            error = GatewayError.OfDefect(e);
        }

        Settle(error);
        result.Duration = run.Parts.Time.GetElapsedTime(started);
        run.Parts.Compositions.CallEnded(Measure());
        CallSpan.End(span, result);
        run.Finished(result);
    }

    /// <summary>Fetches the answer to a request of this call.</summary>
    public ValueTask<FetchOutcome> FetchAsync(CallRequest request) => _fetcher.FetchAsync(request);

    /// <summary>Reads an answer of this call.</summary>
    /// <param name="outcome">The answer, or the error.</param>
    /// <param name="isDocument">Whether expressions look into it.</param>
    /// <param name="part">The content.</param>
    public GatewayError? Read(FetchOutcome outcome, bool isDocument, out JsonPart part)
    {
        part = JsonPart.Null;
        if (outcome.Instance is { } instance && (_call.FanOut is null || outcome.Answer is not { IsSuccess: true }))
            result.Instance = instance.Name;
        if (outcome.Answer is { Status: 503 or 429, RetryAfter: { } later })
            result.RetryAfter = later;
        if (outcome.Answer is not { } answer)
            return outcome.Error;
        if (_call.FanOut is null)
        {
            result.Answers.Add(answer);
            result.Status = answer.Status;
        }

        if (!answer.IsSuccess)
            return OfStatus(answer.Status);
        return AnswerReader.Read(answer, isDocument ? run.Documents : null, _call.Select, out part);
    }

    /// <summary>Renders a request of this call by filling in its placeholders.</summary>
    public GatewayError? Render(PlannedRequest planned, in Value scope, out CallRequest request)
    {
        request = null!;
        var error = RequestRenderer.Render(run, _call, planned, scope, out var rendered);
        if (error is not null)
            return error;
        request = rendered!;
        request.Due = _due;
        request.AwaitedUntil = _awaitedUntil;
        return null;
    }

    /// <summary>Records a write that a request performed, or may have performed, if it can be undone.</summary>
    /// <param name="outcome">The outcome of the request.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="item">The item that the request was made for.</param>
    /// <param name="items">The batch that the request was made for.</param>
    /// <param name="error">Why the answer cannot be used.</param>
    /// <returns>The same error, or that the answer was too late.</returns>
    public GatewayError? NoteWrite(FetchOutcome outcome, in Value answer, in Value item, in Value items, GatewayError? error)
    {
        if (_awaitedUntil is null || (!outcome.IsDone && !outcome.IsUncertain))
            return error;
        if (error is null && run.Time.Until(_due) <= TimeSpan.Zero)
            error = new GatewayError(GatewayErrorKind.ResponseTimeout);
        result.Add(
            new PerformedWrite(result, item, items, answer, run.Spent.NextWrite())
            {
                IsUncertain = !outcome.IsDone,
                IsLost = error is not null,
            }
        );
        return error;
    }

    /// <summary>Returns the last successful answer to a request that the service could not answer.</summary>
    public bool TryStale(CallRequest request, FetchOutcome outcome, GatewayError error, bool isDocument, out JsonPart part)
    {
        part = JsonPart.Null;
        if (
            _fetcher.FindStale(request, outcome, error) is not { } answer
            || AnswerReader.Read(answer, isDocument ? run.Documents : null, _call.Select, out part) is not null
        )
            return false;
        result.Source = "stale";
        return true;
    }

    /// <summary>Takes the answer to a single request as the call's value.</summary>
    private GatewayError? Take(CallRequest request, FetchOutcome outcome)
    {
        var error = Read(outcome, _call.NeedsDocument, out var part);
        error = NoteWrite(outcome, part.Value, Value.Null, Value.Null, error);
        if (error is null || (!IsDecisive() && TryStale(request, outcome, error, _call.NeedsDocument, out part)))
            result.Part = part;
        return error;
    }

    private GatewayError? MissingBefore()
    {
        foreach (var index in _call.After)
        {
            // `after` means order: a skipped call counts as done
            if (run.Results[index].State is not (CallState.Succeeded or CallState.Skipped))
                return new GatewayError(GatewayErrorKind.MissingInput, $"the call `{run.Plan.Calls[index].Name}` must succeed first");
        }

        return null;
    }

    private GatewayError? CheckCondition()
    {
        if (_call.Condition is not { } condition)
            return null;
        if (!condition.TryEvaluate(run.Scope.Of(), out var value, out var problem))
            return _call.ExpressionError(condition, "if", problem);
        if (!value.IsTrue)
            result.State = CallState.Skipped;
        return null;
    }

    private bool IsDecisive() => result.Status is { } status && _call.Passthrough.Contains(status);

    private CallMeasurement Measure()
    {
        var bytes = 0L;
        foreach (var answer in result.Answers)
            bytes += answer.Body.Length;
        if (bytes > 0)
            (_call.Bytes ??= run.Parts.Compositions.BytesOf(run.Plan.Route, _call.Name)).Add(bytes);
        var source = result.State == CallState.Failed && _call.Config.Optional ? result.Source ?? "null" : null;
        return new CallMeasurement(
            run.Plan.Route,
            _call.Name,
            CallSpan.StateText(result.State),
            result.Error?.Rule.Slug,
            source,
            result.Duration
        );
    }

    private void Settle(GatewayError? error)
    {
        if (error is null)
        {
            if (result.State == CallState.Running)
                result.State = CallState.Succeeded;
            return;
        }

        if (run.Ongoing.IsCutOff && error.Kind == GivenUp.Kind)
        {
            result.State = CallState.Canceled;
            result.Part = JsonPart.Null;
            return;
        }

        result.State = CallState.Failed;
        result.Error = error;
        if (!_call.Config.Optional || result.Source is not null || _call.FallbackValue is not { } value)
            return;
        result.Source = "value";
        result.Part = _call.NeedsDocument ? JsonPart.Of(AnswerReader.Parse(value, run.Documents)) : JsonPart.OfText(value);
    }

    /// <summary>Returns the error for an error status of a service.</summary>
    public static GatewayError OfStatus(int status) =>
        new(
            status switch
            {
                503 or 429 => GatewayErrorKind.CallUnavailable,
                504 or 408 => GatewayErrorKind.CallTimeout,
                _ => GatewayErrorKind.CallFailed,
            },
            Cause: new HttpRequestException($"The service responded with status {status}.")
        );
}
