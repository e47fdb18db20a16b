using System.Diagnostics;
using System.Runtime.CompilerServices;
using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;

namespace Lintel.Composition.Calls;

/// <summary>One call of one composed answer, from its condition to its fallback.</summary>
internal sealed class CallRun(CallRunner runner, CallResult result)
{
    private static readonly GatewayError GivenUp = new(GatewayErrorKind.ClientAborted);

    private readonly PlannedCall _call = result.Call;
    private Activity? _span;
    private long _due;
    private long? _awaitedUntil;

    /// <summary>The answer has failed before the call could begin.</summary>
    public void GiveUp()
    {
        result.State = CallState.Canceled;
        runner.Finished(result);
    }

    /// <summary>Runs it. Never throws: whatever happens is in the result.</summary>
    public async Task RunAsync()
    {
        var started = runner.Parts.Time.GetTimestamp();
        result.State = CallState.Running;
        _due = runner.DueAfter(_call.Config.Timeout, started);
        _awaitedUntil = _call.Config.Compensate is { } undo ? runner.AwaitedUntil(_call.Config.Timeout, undo.Timeout, started) : null;
        _span = CallSpan.Start(runner, _call);
        GatewayError? error;
        try
        {
            if (_call.Needs.Length > 0)
                await OffLoop.For(runner.BytesReceived); // its expressions look into what came
            error = MissingBefore() ?? CheckCondition();
            if (error is null && result.State == CallState.Running)
            {
                if (_call.FanOut is { } fanOut)
                    error = await new FanOutRun(runner, this, result, fanOut).RunAsync().ConfigureAwait(false);
                else if ((error = Render(_call.Request, runner.Scope(), out var request)) is null)
                    error = Take(request, await AskAsync(request).ConfigureAwait(false));
            }
        }
        catch (Exception e)
        {
            error = GatewayError.OfDefect(e);
        }

        Settle(error);
        result.Duration = runner.Parts.Time.GetElapsedTime(started);
        runner.Parts.Compositions.CallEnded(Measure());
        CallSpan.End(_span, result);
        runner.Finished(result);
    }

    /// <summary>
    /// Asks a service, and sees to all that stands between a call and its attempts: the same question asked twice, answers that are kept,
    /// the second request to a slow service.
    /// </summary>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public async ValueTask<CallOutcome> AskAsync(CallRequest request)
    {
        // Most questions are asked once and for nobody else: no key, no frame between the call and its attempts.
        CallOutcome outcome;
        if (NeedsKey)
        {
            outcome = await AskAsync(request, KeyOf(request)).ConfigureAwait(false);
        }
        else
        {
            outcome = await SendAsync(request).ConfigureAwait(false);
            await OffLoop.For(outcome.Answer?.Work ?? 0);
            outcome = Received(outcome, request, null, null);
        }

        if (outcome.Answer is { } answer)
            runner.Own(answer.Body);
        return outcome;
    }

    private async ValueTask<CallOutcome> AskAsync(CallRequest request, string key)
    {
        if (!_call.MayRepeat)
            return await AskOnceAsync(request, key).ConfigureAwait(false);
        if (runner.HasAsked(key, out var asked))
            return await SharedAsync(request, asked.Task).ConfigureAwait(false) ?? await AskOnceAsync(request, key).ConfigureAwait(false);
        CallOutcome outcome = new GatewayError(GatewayErrorKind.Internal);
        try
        {
            return outcome = await AskOnceAsync(request, key).ConfigureAwait(false);
        }
        finally
        {
            asked.SetResult(outcome); // whatever happens: others wait for it
        }
    }

    /// <summary>
    /// The answer to the same question of another call, within this call's own time; <see langword="null"/> where that call's limits, and
    /// not the service, kept it from one.
    /// </summary>
    private async ValueTask<CallOutcome?> SharedAsync(CallRequest request, Task<CallOutcome> asked)
    {
        CallOutcome outcome;
        try
        {
            outcome = await asked.WaitAsync(runner.Until(request.Due), runner.Parts.Time).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            return new GatewayError(GatewayErrorKind.ResponseTimeout, Cause: e);
        }

        if (outcome.Error is { } error && SharedRequests.IsOwnAffair(error))
            return null;
        MarkShared();
        return outcome;
    }

    private void MarkShared()
    {
        result.IsShared = true;
        runner.Parts.Compositions.Deduplicated(runner.Plan.Route, _call.Name);
    }

    /// <summary>Reads an answer of this call.</summary>
    /// <param name="outcome">The answer, or why there is none.</param>
    /// <param name="isDocument">Whether expressions look into it.</param>
    /// <param name="part">What it says.</param>
    public GatewayError? Read(CallOutcome outcome, bool isDocument, out JsonPart part)
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
        return AnswerReader.Read(answer, isDocument ? runner.Documents : null, _call.Select, out part);
    }

    /// <summary>A request of this call, with its placeholders filled in.</summary>
    public GatewayError? Render(PlannedRequest planned, in Value scope, out CallRequest request)
    {
        request = null!;
        var error = CallRequests.Render(runner, _call, planned, scope, out var rendered);
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
    public GatewayError? NoteWrite(CallOutcome outcome, in Value answer, in Value item, in Value items, GatewayError? error)
    {
        if (_awaitedUntil is null || (!outcome.IsDone && !outcome.IsUncertain))
            return error;
        if (error is null && runner.Until(_due) <= TimeSpan.Zero)
            error = new GatewayError(GatewayErrorKind.ResponseTimeout);
        result.Add(
            new PerformedWrite(result, item, items, answer, runner.NextWrite())
            {
                IsUncertain = !outcome.IsDone,
                IsLost = error is not null,
            }
        );
        return error;
    }

    /// <summary>The last good answer to a request that the service could not answer.</summary>
    public bool TryStale(CallRequest request, CallOutcome outcome, GatewayError error, bool isDocument, out JsonPart part)
    {
        part = JsonPart.Null;
        if (
            !_call.MayBeStale
            || !IsOutage(outcome, error)
            || runner.Parts.Store.Find(KeyOf(request)) is not { } stored
            || stored.StaleUntil is not { } last
            || last < runner.Parts.Time.GetUtcNow()
        )
            return false;
        var answer = stored.Restore();
        runner.Own(answer.Body);
        if (AnswerReader.Read(answer, isDocument ? runner.Documents : null, _call.Select, out part) is not null)
            return false;
        result.Source = "stale";
        return true;
    }

    /// <summary>What a single request brought is the call's value.</summary>
    private GatewayError? Take(CallRequest request, CallOutcome outcome)
    {
        var error = Read(outcome, _call.NeedsDocument, out var part);
        error = NoteWrite(outcome, part.Value, Value.Null, Value.Null, error);
        if (error is null || (!IsDecisive() && TryStale(request, outcome, error, _call.NeedsDocument, out part)))
            result.Part = part;
        return error;
    }

    /// <summary>Asks the service, or waits for another client's request that asks it already.</summary>
    private async ValueTask<CallOutcome> AskOnceAsync(CallRequest request, string key)
    {
        if (!_call.Config.Collapse)
            return await FetchAsync(request, key).ConfigureAwait(false);
        var (outcome, isShared) = await runner
            .Parts.Shared.AskAsync(runner, request, key, () => FetchAsync(request, key))
            .ConfigureAwait(false);
        if (isShared)
            MarkShared();
        return outcome;
    }

    private async ValueTask<CallOutcome> FetchAsync(CallRequest request, string key)
    {
        var stored = _call.HasKept ? runner.Parts.Store.Find(key) : null;
        request.IfNoneMatch = stored?.ETag;
        var outcome = await SendAsync(request).ConfigureAwait(false);
        await OffLoop.For(outcome.Answer?.Work ?? 0);
        return Received(outcome, request, key, stored);
    }

    /// <summary>
    /// Makes JSON of what the service says, or of what it said before where it need not say it again; and keeps it, where that may be of
    /// use.
    /// </summary>
    private CallOutcome Received(CallOutcome outcome, CallRequest request, string? key, StoredAnswer? stored)
    {
        if (outcome.Answer is not { } answer)
            return outcome;
        if (answer.Status == 304 && stored is not null)
            answer = Confirmed(stored, answer);
        if (answer.IsSuccess)
            AnswerReader.Normalize(answer, _call.Config.Format, runner);
        if (_call.Request.Config.IsSafe)
            Keep(request, key, answer);
        return outcome with { Answer = answer };
    }

    /// <summary>RFC 9111 section 4.3.4: what the 304 says of freshness takes the place of what was kept.</summary>
    private static CallAnswer Confirmed(StoredAnswer stored, CallAnswer confirmation)
    {
        confirmation.Body.Release();
        var kept = stored.Restore();
        kept.CacheControl = confirmation.CacheControl ?? kept.CacheControl;
        kept.Expires = confirmation.Expires;
        kept.Date = confirmation.Date;
        kept.Age = confirmation.Age;
        return kept;
    }

    /// <summary>
    /// Keeps a good answer that may be of use; and lets go of one that no longer holds, because the service has another one now, or none
    /// for this client any more.
    /// </summary>
    private void Keep(CallRequest request, string? key, CallAnswer answer)
    {
        // a tag is one resource's, and a redirect may lead to another one next time
        var isUseful = answer.IsSuccess && (answer is { ETag: not null, RedirectedBy: null } || _call.MayBeStale);
        if (!isUseful && !_call.HasKept && !_call.MayBeStale)
            return;
        if (isUseful ? answer.Problem is not null || AnswerReader.Read(answer, null, out _) is not null : IsOutage(answer.Status))
            return; // what cannot be read is not good, and an outage says nothing of what was good
        if (isUseful)
        {
            _call.HasKept = true;
            runner.Parts.Store.Keep(key ?? KeyOf(request), answer, AnswerRules.Of(answer, request.Service, runner.Parts.Time.GetUtcNow()));
        }
        else
        {
            runner.Parts.Store.Drop(key ?? KeyOf(request));
        }
    }

    /// <summary>
    /// RFC 5861 section 4: no answer, or one that says of the service that it cannot answer now. Every other status is an answer.
    /// </summary>
    private static bool IsOutage(CallOutcome outcome, GatewayError error)
    {
        if (outcome.Answer is { IsSuccess: false } answer)
            return IsOutage(answer.Status);
        return error.Kind is GatewayErrorKind.NoInstance or GatewayErrorKind.Unavailable
            || (error.Rule.Source == ErrorSource.Upstream && error.Kind != GatewayErrorKind.TooManyItems);
    }

    private static bool IsOutage(int status) => status is 429 or >= 500;

    private ValueTask<CallOutcome> SendAsync(CallRequest request) =>
        _call.Config.Redirects == 0 ? SendOnceAsync(request) : FollowAsync(request);

    private async ValueTask<CallOutcome> FollowAsync(CallRequest request)
    {
        var outcome = await SendOnceAsync(request).ConfigureAwait(false);
        for (var left = _call.Config.Redirects; left > 0 && Redirects.Next(runner.Exchange, request, outcome) is { } next; left--)
        {
            var redirect = outcome.Answer!;
            redirect.Body.Release();
            var ledFromAWrite = outcome.LedFromAWrite || (!request.IsSafe && next.IsSafe);
            request = next;
            outcome = await SendOnceAsync(request).ConfigureAwait(false) with { LedFromAWrite = ledFromAWrite };
            if (outcome.Answer is { } answer)
                answer.RedirectedBy = redirect;
        }

        return outcome;
    }

    private ValueTask<CallOutcome> SendOnceAsync(CallRequest request)
    {
        if (_call.Hedging is { } hedging)
            return HedgedRequest.SendAsync(runner, request, hedging, result, _span);
        return new CallAttempts(runner, request).RunAsync(_span);
    }

    /// <summary>Keys are made only where something is looked up by them.</summary>
    private bool NeedsKey => _call.Request.Config.IsSafe && (_call.MayRepeat || _call.Config.Collapse || _call.HasKept);

    private string KeyOf(CallRequest request) => CallKey.Of(runner, request, _call.Config.Format);

    private GatewayError? MissingBefore()
    {
        foreach (var index in _call.After)
        {
            // `after` means order: what was skipped has happened
            if (runner.Results[index].State is not (CallState.Succeeded or CallState.Skipped))
                return new GatewayError(GatewayErrorKind.MissingInput, $"the call `{runner.Plan.Calls[index].Name}` must succeed first");
        }

        return null;
    }

    private GatewayError? CheckCondition()
    {
        if (_call.Condition is not { } condition)
            return null;
        if (!condition.TryEvaluate(runner.Scope(), out var value, out var problem))
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
            (_call.Bytes ??= runner.Parts.Compositions.BytesOf(runner.Plan.Route, _call.Name)).Add(bytes);
        var source = result.State == CallState.Failed && _call.Config.Optional ? result.Source ?? "null" : null;
        return new CallMeasurement(
            runner.Plan.Route,
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

        if (runner.Ongoing.IsCutOff && error.Kind == GivenUp.Kind)
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
        result.Part = _call.NeedsDocument ? JsonPart.Of(AnswerReader.Parse(value, runner.Documents)) : JsonPart.OfText(value);
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
