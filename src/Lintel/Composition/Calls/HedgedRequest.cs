using System.Diagnostics;
using Lintel.Services.Attempts;

namespace Lintel.Composition.Calls;

/// <summary>
/// Sends a request again, to another instance, if it is slow: the first successful answer wins, and the other requests are cut off.
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
        var started = run.Parts.Time.GetTimestamp();
        var race = new List<Racer>();
        FetchOutcome? failed = null;
        var left = hedging.Config.Max;
        hedging.Sent();
        Send();
        while (race.Count > 0)
        {
            if (await FirstAsync(race, left > 0 ? hedging.Delay : null, run.Parts.Time).ConfigureAwait(false) is not { } ended)
            {
                if (run.Ongoing.IsCutOff || !hedging.TrySpend())
                {
                    left = 0;
                    continue;
                }

                left--;
                result.WasHedged = true;
                run.Parts.Compositions.Hedged(run.Plan.Route, result.Call.Name);
                Send();
                continue;
            }

            race.Remove(ended);
            var outcome = await ended.End.ConfigureAwait(false);
            if (outcome.Answer is { IsSuccess: true })
            {
                await CutOffAsync(race).ConfigureAwait(false);
                Discard(failed);
                return Answered(outcome);
            }

            // A failure came first: another one may still succeed.
            if (failed is not null)
                Discard(outcome);
            failed ??= outcome;
        }

        return Answered(failed!.Value);

        void Send()
        {
            var attempts = new CallAttempts(run, request)
            {
                Avoided = race.Count == 0 ? null : [.. race.SelectMany(r => r.Attempts.Tried)],
            };
            race.Add(new Racer(attempts, attempts.RunAsync(span).AsTask()));
        }

        FetchOutcome Answered(FetchOutcome outcome)
        {
            if (outcome.Answer is not null)
                hedging.Answered(run.Parts.Time.GetElapsedTime(started));
            return outcome;
        }
    }

    /// <summary>Waits for the first request that ends; <see langword="null"/> if none does within the delay.</summary>
    private static async ValueTask<Racer?> FirstAsync(List<Racer> race, TimeSpan? delay, TimeProvider time)
    {
        if (race.Find(r => r.End.IsCompleted) is { } ended)
            return ended;
        using var timer = new CancellationTokenSource();
        var tasks = race.Select(r => (Task)r.End).ToList();
        if (delay is { } wait)
            tasks.Add(Task.Delay(wait, time, timer.Token));
        var first = await Task.WhenAny(tasks).ConfigureAwait(false);
        await timer.CancelAsync().ConfigureAwait(false);
        return race.Find(r => r.End == first);
    }

    private static async ValueTask CutOffAsync(List<Racer> losers)
    {
        foreach (var loser in losers)
        {
            loser.Attempts.CutOff();
            Discard(await loser.End.ConfigureAwait(false));
        }
    }

    private static void Discard(FetchOutcome? outcome) => outcome?.Answer?.Body.Release();

    /// <summary>A request in the race.</summary>
    private sealed record Racer(CallAttempts Attempts, Task<FetchOutcome> End);
}
