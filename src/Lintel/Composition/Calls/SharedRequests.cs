using System.Collections.Concurrent;
using Lintel.Composition.Answers;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>
/// Requests of different clients that ask for the same at the same time: one asks the service, the others get its answer (<c>collapse</c>).
/// </summary>
/// <remarks>Thread rule: any thread. Who leads may be cut off by its own client's leaving; then one of the others leads.</remarks>
internal sealed class SharedRequests
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<FetchOutcome?>> _leaders = new(StringComparer.Ordinal);

    /// <summary>Asks, or waits for who asks already.</summary>
    /// <param name="run">For whom; its end ends the wait.</param>
    /// <param name="request">Its time ends the wait too.</param>
    /// <param name="key">What is asked; the same key means the same answer.</param>
    /// <param name="send">Asks.</param>
    /// <returns>The answer, which is the caller's own, and whether it was another's first.</returns>
    public async ValueTask<(FetchOutcome Outcome, bool IsShared)> AskAsync(
        CompositionRun run,
        CallRequest request,
        string key,
        Func<ValueTask<FetchOutcome>> send
    )
    {
        while (true)
        {
            // the others' requests belong to other loops
            var mine = new TaskCompletionSource<FetchOutcome?>(TaskCreationOptions.RunContinuationsAsynchronously);
            var leader = _leaders.GetOrAdd(key, mine);
            if (leader == mine)
                return (await LeadAsync(run, request, key, mine, send).ConfigureAwait(false), false);
            using var wait = new SharedWait(run.Time.Until(request.Due), run.Parts.Time);
            if (!run.Ongoing.TryAdd(wait))
                return (new GatewayError(GatewayErrorKind.ClientAborted), false);
            try
            {
                if (await leader.Task.WaitAsync(wait.Token).ConfigureAwait(false) is not { } outcome)
                    break;
                if (outcome.Answer is { } answer)
                    return (outcome with { Answer = answer.Copy() }, true);
                if (!IsOwnAffair(outcome.Error!))
                    return (outcome, true);
            }
            catch (OperationCanceledException e)
            {
                return (
                    new GatewayError(run.Ongoing.IsCutOff ? GatewayErrorKind.ClientAborted : GatewayErrorKind.ResponseTimeout, Cause: e),
                    false
                );
            }
            finally
            {
                run.Ongoing.Remove(wait);
            }
        }

        // what the service said is for the leader alone: everybody asks, and nobody waits for the next leader
        return (await send().ConfigureAwait(false), false);
    }

    /// <summary>
    /// Whether a failure says something of who asked, its time and its limits, and nothing of the service: then others try for themselves.
    /// </summary>
    public static bool IsOwnAffair(GatewayError error) =>
        error.Kind
            is GatewayErrorKind.ClientAborted
                or GatewayErrorKind.ResponseTimeout
                or GatewayErrorKind.ConnectionTimeout
                or GatewayErrorKind.TooManyItems
                or GatewayErrorKind.AnswerTooLarge
                or GatewayErrorKind.Overloaded
                or GatewayErrorKind.Internal;

    private async ValueTask<FetchOutcome> LeadAsync(
        CompositionRun run,
        CallRequest request,
        string key,
        TaskCompletionSource<FetchOutcome?> mine,
        Func<ValueTask<FetchOutcome>> send
    )
    {
        FetchOutcome? shared = new GatewayError(GatewayErrorKind.Internal);
        try
        {
            var outcome = await send().ConfigureAwait(false);
            if (outcome.Answer is not { } answer)
                shared = outcome;
            else if (AnswerRules.Of(answer, request.Service, run.Parts.Time.GetUtcNow()).MayBeKept)
                shared = outcome with { Answer = answer.Copy() }; // the leader's own goes back to the pool when its client has its answer
            else
                shared = null;
            return outcome;
        }
        finally
        {
            _leaders.TryRemove(new(key, mine));
            mine.SetResult(shared);
        }
    }

    /// <summary>Somebody who waits for another's answer.</summary>
    private sealed class SharedWait : OngoingRequest, IDisposable
    {
        private readonly Lock _lock = new();
        private readonly CancellationTokenSource _source;
        private bool _isOver;

        public SharedWait(TimeSpan time, TimeProvider clock) => _source = new CancellationTokenSource(time, clock);

        public CancellationToken Token => _source.Token;

        public override void CutOff()
        {
            lock (_lock)
            {
                if (!_isOver)
                    _ = _source.CancelAsync();
            }
        }

        public void Dispose()
        {
            lock (_lock)
                _isOver = true;
            _source.Dispose();
        }
    }
}
