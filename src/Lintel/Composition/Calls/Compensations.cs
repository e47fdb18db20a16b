using Lintel.Composition.Plan;
using Lintel.Errors;

namespace Lintel.Composition.Calls;

/// <summary>
/// Undoes writes that requests performed, or may have performed: in the reverse of the order in which they ended, sequentially, before the
/// client gets its answer.
/// </summary>
/// <remarks>
/// A request with <c>compensate</c> is undone if the service answered with a 2xx, or if it was sent and no answer came: it may have been
/// performed. If the composition failed, all of them are undone; otherwise those of calls, or items, that count as failed.
/// </remarks>
internal static class Compensations
{
    /// <summary>Undoes what has not been undone before.</summary>
    /// <param name="run">The composition run, with all calls ended.</param>
    /// <param name="all">Whether the composition has failed; otherwise only writes that are reported to the client as failed are
    /// undone.</param>
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

            // A failed compensation needs an operator: it is in the error log regardless of the answer.
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

    /// <summary>Describes what was undone in a sentence for the client and the log; <see langword="null"/> if nothing had to be.</summary>
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
