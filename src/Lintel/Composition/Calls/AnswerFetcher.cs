using System.Diagnostics;
using System.Runtime.CompilerServices;
using Lintel.Composition.Answers;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Composition.Calls;

/// <summary>
/// Fetches the answer to a request of a call, through everything between them: the same request of another call or another client, stored
/// answers and their revalidation, redirects, and hedging.
/// </summary>
/// <param name="run">The composition run.</param>
/// <param name="result">The call's result, which records what happened to its requests.</param>
/// <param name="span">The call's span, if it is recorded.</param>
internal sealed class AnswerFetcher(CompositionRun run, CallResult result, Activity? span)
{
    private readonly PlannedCall _call = result.Call;

    /// <summary>Fetches the answer to a request of the call; the composition owns its body.</summary>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public async ValueTask<FetchOutcome> FetchAsync(CallRequest request)
    {
        // Most requests are made once and are not shared: no key, and no frame between the call and its attempts.
        FetchOutcome outcome;
        if (NeedsKey)
        {
            outcome = await DeduplicateAsync(request, KeyOf(request)).ConfigureAwait(false);
        }
        else
        {
            outcome = await SendAsync(request).ConfigureAwait(false);
            await OffLoop.For(outcome.Answer?.Work ?? 0);
            outcome = Received(outcome, request, null, null);
        }

        if (outcome.Answer is { } answer)
            run.Track(answer.Body);
        return outcome;
    }

    /// <summary>
    /// Returns the last successful answer to a request that the service could not answer; <see langword="null"/> if none may be used.
    /// </summary>
    public CallAnswer? FindStale(CallRequest request, FetchOutcome outcome, GatewayError error)
    {
        if (
            !_call.MayBeStale
            || !IsOutage(outcome, error)
            || run.Parts.Store.Find(KeyOf(request)) is not { StaleUntil: { } last } stored
            || last < run.Parts.Time.GetUtcNow()
        )
            return null;
        var answer = stored.Restore();
        run.Track(answer.Body);
        return answer;
    }

    /// <summary>Returns the answer to the same request of another call of this composition, otherwise one of its own.</summary>
    private async ValueTask<FetchOutcome> DeduplicateAsync(CallRequest request, string key)
    {
        if (!_call.MayRepeat)
            return await CollapseAsync(request, key).ConfigureAwait(false);
        if (run.Same.WasMade(key, out var same))
            return await SharedAsync(request, same.Task).ConfigureAwait(false) ?? await CollapseAsync(request, key).ConfigureAwait(false);
        FetchOutcome outcome = new GatewayError(GatewayErrorKind.Internal);
        try
        {
            return outcome = await CollapseAsync(request, key).ConfigureAwait(false);
        }
        finally
        {
            same.SetResult(outcome); // in every case: others wait for it
        }
    }

    /// <summary>
    /// Returns the answer to the same request of another call, within this call's own time; <see langword="null"/> if that call's limits,
    /// and not the service, prevented an answer.
    /// </summary>
    private async ValueTask<FetchOutcome?> SharedAsync(CallRequest request, Task<FetchOutcome> same)
    {
        FetchOutcome outcome;
        try
        {
            outcome = await same.WaitAsync(run.Time.Until(request.Due), run.Parts.Time).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            return new GatewayError(GatewayErrorKind.ResponseTimeout, Cause: e);
        }

        if (outcome.Error is { } error && SharedRequests.ConcernsSenderOnly(error))
            return null;
        MarkShared();
        return outcome;
    }

    private void MarkShared()
    {
        result.IsShared = true;
        run.Parts.Compositions.Deduplicated(run.Plan.Route, _call.Name);
    }

    /// <summary>Returns the answer to the same request of another client that is in progress, otherwise one of its own.</summary>
    private async ValueTask<FetchOutcome> CollapseAsync(CallRequest request, string key)
    {
        if (!_call.Config.Collapse)
            return await RevalidateAsync(request, key).ConfigureAwait(false);
        var (outcome, isShared) = await run
            .Parts.Shared.AskAsync(run, request, key, () => RevalidateAsync(request, key))
            .ConfigureAwait(false);
        if (isShared)
            MarkShared();
        return outcome;
    }

    /// <summary>Returns the service's answer, or the stored one if the service confirms it.</summary>
    private async ValueTask<FetchOutcome> RevalidateAsync(CallRequest request, string key)
    {
        var stored = _call.HasKept ? run.Parts.Store.Find(key) : null;
        request.IfNoneMatch = stored?.ETag;
        var outcome = await SendAsync(request).ConfigureAwait(false);
        await OffLoop.For(outcome.Answer?.Work ?? 0);
        return Received(outcome, request, key, stored);
    }

    /// <summary>Converts the received answer, or the stored one that it confirms, to JSON, and stores it if that may be of use.</summary>
    private FetchOutcome Received(FetchOutcome outcome, CallRequest request, string? key, StoredAnswer? stored)
    {
        if (outcome.Answer is not { } answer)
            return outcome;
        if (answer.Status == 304 && stored is not null)
            answer = Confirmed(stored, answer);
        if (answer.IsSuccess)
            AnswerReader.Normalize(answer, _call.Config.Format, run);
        if (_call.Request.Config.IsSafe)
            Keep(request, key, answer);
        return outcome with { Answer = answer };
    }

    /// <summary>RFC 9111 section 4.3.4: the freshness information of the 304 replaces that of the stored answer.</summary>
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
    /// Stores a successful answer that may be of use; removes one that is no longer valid, because the service now has another one, or none
    /// for this client.
    /// </summary>
    private void Keep(CallRequest request, string? key, CallAnswer answer)
    {
        // a tag belongs to one resource, and a redirect may lead to another one next time
        var isUseful = answer.IsSuccess && (answer is { ETag: not null, RedirectedBy: null } || _call.MayBeStale);
        if (!isUseful && !_call.HasKept && !_call.MayBeStale)
            return;
        if (isUseful ? answer.Problem is not null || AnswerReader.Read(answer, null, out _) is not null : IsOutage(answer.Status))
            return; // an invalid answer is not a success, and an outage does not affect the last successful one
        if (isUseful)
        {
            _call.HasKept = true;
            run.Parts.Store.Keep(key ?? KeyOf(request), answer, AnswerRules.Of(answer, request.Service, run.Parts.Time.GetUtcNow()));
        }
        else
        {
            run.Parts.Store.Drop(key ?? KeyOf(request));
        }
    }

    /// <summary>
    /// RFC 5861 section 4: no answer, or one with a status that reports a temporary failure of the service. Every other status is an
    /// answer.
    /// </summary>
    private static bool IsOutage(FetchOutcome outcome, GatewayError error)
    {
        if (outcome.Answer is { IsSuccess: false } answer)
            return IsOutage(answer.Status);
        return error.Kind
                is GatewayErrorKind.NoInstance
                    or GatewayErrorKind.Unavailable
                    or GatewayErrorKind.CircuitOpen
                    or GatewayErrorKind.ServiceBusy
            || (error.Rule.Source == ErrorSource.Upstream && error.Kind != GatewayErrorKind.TooManyItems);
    }

    private static bool IsOutage(int status) => status is 429 or >= 500;

    private ValueTask<FetchOutcome> SendAsync(CallRequest request) =>
        _call.Config.Redirects == 0 ? AttemptAsync(request) : FollowAsync(request);

    private async ValueTask<FetchOutcome> FollowAsync(CallRequest request)
    {
        var outcome = await AttemptAsync(request).ConfigureAwait(false);
        for (var left = _call.Config.Redirects; left > 0 && Redirects.Next(run.Exchange, request, outcome) is { } next; left--)
        {
            var redirect = outcome.Answer!;
            redirect.Body.Release();
            var followsWrite = outcome.FollowsWrite || (!request.IsSafe && next.IsSafe);
            request = next;
            outcome = await AttemptAsync(request).ConfigureAwait(false) with { FollowsWrite = followsWrite };
            if (outcome.Answer is { } answer)
                answer.RedirectedBy = redirect;
        }

        return outcome;
    }

    private ValueTask<FetchOutcome> AttemptAsync(CallRequest request)
    {
        if ((_call.Hedging ?? (request.IsSafe ? request.Service.Hedging : null)) is { } hedging)
            return HedgedRequest.SendAsync(run, request, hedging, result, span);
        return new CallAttempts(run, request).RunAsync(span);
    }

    /// <summary>Whether keys are needed: only if something is looked up by them.</summary>
    private bool NeedsKey => _call.Request.Config.IsSafe && (_call.MayRepeat || _call.Config.Collapse || _call.HasKept);

    private string KeyOf(CallRequest request) => CallKey.Of(run, request, _call.Config.Format);
}
