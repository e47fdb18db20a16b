using Lintel.Composition.Plan;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>
/// Undoes what requests did, or may have done: in the reverse of the order in which they ended, one after the other, before the client
/// hears of it.
/// </summary>
/// <remarks>
/// Undone is a request with <c>compensate</c> that the service answered with a 2xx, and one that was sent and to which no answer came: it
/// may have been done. Those of a composition that failed are undone all; where the composition holds, those whose own call, or item,
/// counts as failed.
/// </remarks>
internal static class Compensations
{
    /// <summary>Undoes what has not been undone before.</summary>
    /// <param name="run">Whose calls have ended.</param>
    /// <param name="all">Whether the answer has failed; otherwise only what the client is told has failed is undone.</param>
    public static async ValueTask RunAsync(CompositionRun run, bool all)
    {
        if (Pending(run, all) is not { } writes)
            return;
        run.BeginUndoing();
        foreach (var write in writes)
        {
            var (error, instance) = await UndoAsync(run, write).ConfigureAwait(false);
            var (result, call) = (write.Result, write.Result.Call);
            write.IsSettled = true;
            result.IsCompensated = result.IsCompensated is not false && error is null;
            result.IsUncertain |= write.IsUncertain;
            run.Parts.Compositions.Compensated(run.Plan.Route, call.Name, error is null);

            // What is left behind is a matter for people: it is in the error log whatever the answer says.
            if (error is not null)
                run.Parts.Errors.Record(
                    NotUndone(call, error).WithCauseInLog(),
                    run.Plan.Route,
                    call.Compensation!.Service.Name,
                    instance,
                    run.Exchange.TraceId
                );
        }
    }

    /// <summary>What was undone, as a sentence for the client and the log; <see langword="null"/> where nothing had to be.</summary>
    public static string? Describe(CallResult[] results)
    {
        var (undone, left) = (Names(results, r => r.IsCompensated == true), Names(results, r => r.IsCompensated == false));
        return (undone.Length, left.Length) switch
        {
            (0, 0) => null,
            (_, 0) => "compensated: " + undone,
            (0, _) => "not compensated: " + left,
            _ => $"compensated: {undone}; not compensated: {left}",
        };
    }

    private static string Names(CallResult[] results, Func<CallResult, bool> which) =>
        string.Join(", ", results.Where(which).Select(r => "`" + r.Call.Name + "`"));

    private static List<PerformedWrite>? Pending(CompositionRun run, bool all)
    {
        if (!Array.Exists(run.Results, r => r.Writes is not null))
            return null;
        var writes = run
            .Results.SelectMany(r => r.Writes ?? [])
            .Where(w => !w.IsSettled && (all || w.IsLost))
            .OrderByDescending(w => w.Order)
            .ToList();
        return writes.Count == 0 ? null : writes;
    }

    private static GatewayError NotUndone(PlannedCall call, GatewayError error) =>
        new(
            GatewayErrorKind.NotUndone,
            $"the call `{call.Name}` was not compensated: {error.Rule.Slug}{(error.Detail is null ? "" : ": " + error.Detail)}",
            error.Cause
        );

    private static async ValueTask<(GatewayError? Error, string? Instance)> UndoAsync(CompositionRun run, PerformedWrite write)
    {
        var call = write.Result.Call;
        if (RequestRenderer.Render(run, call, call.Compensation!, run.Scope.Of(write), out var request) is { } refusal)
            return (refusal, null);
        request!.Due = run.Time.DueOfUndoing(call.Config.Compensate!.Timeout);
        var outcome = await new CallAttempts(run, request).RunAsync(callSpan: null).ConfigureAwait(false);
        if (outcome.Answer is not { } answer)
            return (outcome.Error, outcome.Instance?.Name);
        answer.Body.Release();
        return (answer.IsSuccess ? null : CallRun.OfStatus(answer.Status), outcome.Instance?.Name);
    }
}
