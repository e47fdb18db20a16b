using System.Diagnostics;

namespace Lintel.Composition.Calls;

/// <summary>
/// Sends a request a second time, to another instance, if the first is slow: the first successful answer wins, and the other request is cut
/// off.
/// </summary>
internal static class HedgedRequest
{
    public static async ValueTask<FetchOutcome> SendAsync(
        CompositionRun run,
        CallRequest request,
        Hedging hedging,
        CallResult result,
        Activity? span
    )
    {
        var time = run.Parts.Time;
        var started = time.GetTimestamp();
        hedging.Sent();
        var first = new CallAttempts(run, request);
        var firstEnd = first.RunAsync(span).AsTask();
        if (
            hedging.Delay is not { } delay
            || await EndsWithinAsync(firstEnd, delay, time).ConfigureAwait(false)
            || run.Ongoing.IsCutOff
            || !hedging.TrySpend()
        )
            return Answered(await firstEnd.ConfigureAwait(false));

        result.WasHedged = true;
        run.Parts.Compositions.Hedged(run.Plan.Route, result.Call.Name);
        var second = new CallAttempts(run, request) { Avoided = first.Tried };
        var secondEnd = second.RunAsync(span).AsTask();
        var winner = await Task.WhenAny(firstEnd, secondEnd).ConfigureAwait(false);
        var (loser, loserEnd) = winner == firstEnd ? (second, secondEnd) : (first, firstEnd);
        var outcome = await winner.ConfigureAwait(false);
        if (outcome.Answer is { IsSuccess: true })
        {
            loser.CutOff();
            Discard(await loserEnd.ConfigureAwait(false));
            return Answered(outcome);
        }

        // The failure came first: the other one may still succeed.
        var other = await loserEnd.ConfigureAwait(false);
        if (other.Answer is not { IsSuccess: true })
        {
            Discard(other);
            return Answered(outcome);
        }

        Discard(outcome);
        return Answered(other);

        FetchOutcome Answered(FetchOutcome outcome)
        {
            if (outcome.Answer is not null)
                hedging.Answered(time.GetElapsedTime(started));
            return outcome;
        }
    }

    private static void Discard(FetchOutcome outcome) => outcome.Answer?.Body.Release();

    private static async ValueTask<bool> EndsWithinAsync(Task task, TimeSpan delay, TimeProvider time)
    {
        if (task.IsCompleted)
            return true;
        using var timer = new CancellationTokenSource();
        var ended = await Task.WhenAny(task, Task.Delay(delay, time, timer.Token)).ConfigureAwait(false) == task;
        await timer.CancelAsync().ConfigureAwait(false);
        return ended;
    }
}
