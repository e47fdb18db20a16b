using System.Collections.Concurrent;
using Lintel.Errors;

namespace Lintel.Composition;

/// <summary>Requests of different clients that ask for the same at the same time: one asks the service, the others get its answer (<c>collapse</c>).</summary>
/// <remarks>Thread rule: any thread. Who leads may be cut off by its own client's leaving; then one of the others leads.</remarks>
internal sealed class SharedRequests
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<StoredAnswer?>> _leaders = new(StringComparer.Ordinal);

    /// <summary>Asks, or waits for who asks already.</summary>
    /// <param name="key">What is asked; the same key means the same answer.</param>
    /// <param name="send">Asks; an answer's body is JSON text.</param>
    /// <param name="wait">Ends the wait for another's answer.</param>
    /// <returns>The answer, and whether it was another's.</returns>
    public async ValueTask<(CallOutcome Outcome, bool IsShared)> AskAsync(string key, Func<ValueTask<CallOutcome>> send, CancellationToken wait)
    {
        while (true)
        {
            var mine = new TaskCompletionSource<StoredAnswer?>(TaskCreationOptions.RunContinuationsAsynchronously); // the others' requests belong to other loops
            var leader = _leaders.GetOrAdd(key, mine);
            if (leader == mine)
                return (await LeadAsync(key, mine, send).ConfigureAwait(false), false);
            try
            {
                if (await leader.Task.WaitAsync(wait).ConfigureAwait(false) is { } answer)
                    return (answer.Restore(), true);
            }
            catch (OperationCanceledException e)
            {
                return (new GatewayError(GatewayErrorKind.ResponseTimeout, Cause: e), true);
            }
        }
    }

    private async ValueTask<CallOutcome> LeadAsync(string key, TaskCompletionSource<StoredAnswer?> mine, Func<ValueTask<CallOutcome>> send)
    {
        StoredAnswer? shared = null;
        try
        {
            var outcome = await send().ConfigureAwait(false);
            if (outcome.Answer is { } answer)
                shared = new StoredAnswer(answer.Status, answer.Body.Span.ToArray(), answer.ETag, answer.LastModified, answer.CacheControl, answer.Vary);
            return outcome;
        }
        finally
        {
            _leaders.TryRemove(new(key, mine));
            mine.SetResult(shared); // null: whatever went wrong may be the leader's own affair, so the others try for themselves
        }
    }
}
