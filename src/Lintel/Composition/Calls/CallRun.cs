using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Metrics;

namespace Lintel.Composition.Calls;

/// <summary>One call of one composition being answered: its condition, its request or requests, its value or fallback.</summary>
internal sealed class CallRun(CompositionRun run, CallResult result)
{
    private static readonly GatewayError GivenUp = new(GatewayErrorKind.ClientAborted);

    private readonly PlannedCall _call = result.Call;
    private AnswerFetcher _fetcher = null!; // from RunAsync on
    private long _due;
    private long? _awaitedUntil;

    /// <summary>The answer has failed before the call could begin.</summary>
    public void GiveUp()
    {
        result.State = CallState.Canceled;
        run.Finished(result);
    }

    /// <summary>Runs it. Never throws: whatever happens is in the result.</summary>
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
                await OffLoop.For(run.Spent.BytesReceived); // its expressions look into what came
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
    /// <param name="outcome">The answer, or why there is none.</param>
    /// <param name="isDocument">Whether expressions look into it.</param>
    /// <param name="part">What it says.</param>
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

    /// <summary>A request of this call, with its placeholders filled in.</summary>
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

    /// <summary>Notes what a request did, or may have done, where it can be undone.</summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="answer">What it answered.</param>
    /// <param name="item">The item that it was made for.</param>
    /// <param name="items">The batch that it was made for.</param>
    /// <param name="error">Why its answer is of no use.</param>
    /// <returns>The same, or that the answer came too late.</returns>
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

    /// <summary>The last good answer to a request that the service could not answer.</summary>
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

    /// <summary>What a single request brought is the call's value.</summary>
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
            // `after` means order: what was skipped has happened
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
            return _call.Misfit(condition, "if", problem);
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

    /// <summary>What an error status of a service means for the answer.</summary>
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
