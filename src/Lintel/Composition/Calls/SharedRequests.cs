using System.Collections.Concurrent;
using Lintel.Composition.Answers;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>
/// Shares concurrent identical requests of different clients: one is sent to the service, the others get its answer (<c>collapse</c>).
/// </summary>
/// <remarks>Thread rule: any thread. The leader may be cut off by its own client's disconnect; then one of the others leads.</remarks>
internal sealed class SharedRequests
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<FetchOutcome?>> _leaders = new(StringComparer.Ordinal);

    /// <summary>Sends the request, or waits for a leader that has already sent it.</summary>
    /// <param name="run">The composition run; its end ends the wait.</param>
    /// <param name="request">The request; its deadline ends the wait too.</param>
    /// <param name="key">The request's key; the same key means the same answer.</param>
    /// <param name="send">Sends the request.</param>
    /// <returns>The answer, which the caller owns, and whether it was first another request's.</returns>
    public async ValueTask<(FetchOutcome Outcome, bool IsShared)> AskAsync(
        CompositionRun run,
        CallRequest request,
        string key,
        Func<ValueTask<FetchOutcome>> send
    )
    {
        while (true)
        {
            // the waiting requests belong to other loops
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
                if (!ConcernsSenderOnly(outcome.Error!))
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

        // the answer is for the leader alone: each waiter sends its own request and does not wait for the next leader
        return (await send().ConfigureAwait(false), false);
    }

    /// <summary>
    /// Whether a failure concerns only the sender, its time and its limits, and not the service: then others try for themselves.
    /// </summary>
    public static bool ConcernsSenderOnly(GatewayError error) =>
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
                shared = outcome with { Answer = answer.Copy() }; // the leader's own returns to the pool once its client has the answer
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

    /// <summary>A request that waits for another's answer.</summary>
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
