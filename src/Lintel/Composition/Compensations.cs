using Lintel.Errors;

namespace Lintel.Composition;

/// <summary>Undoes what calls did before a later one failed: in the reverse of the order in which they ended, one after the other, while the client waits.</summary>
internal static class Compensations
{
    public static async ValueTask RunAsync(CallRunner runner)
    {
        var undone = runner.Results.Where(r => r.Call.Compensation is not null && (r.State == CallState.Succeeded || r.WasDone)).OrderByDescending(r => r.Order).ToList();
        if (undone.Count == 0)
            return;
        runner.BeginUndoing();
        foreach (var result in undone)
        {
            var error = await UndoAsync(runner, result).ConfigureAwait(false);
            result.IsCompensated = error is null;
            runner.Parts.Compositions.Compensated(runner.Plan.Route, result.Call.Name, error is null);

            // What is left behind is a matter for people: it is in the error log whatever the answer says.
            if (error is not null)
                runner.Parts.Errors.Record(error, runner.Plan.Route, result.Call.Compensation!.Service.Name, instance: null, runner.Exchange.TraceId);
        }
    }

    private static async ValueTask<GatewayError?> UndoAsync(CallRunner runner, CallResult result)
    {
        var planned = result.Call.Compensation!;
        if (CallRequests.Render(runner, result.Call, planned, runner.Scope(), out var request) is { } refusal)
            return refusal;
        request!.Due = runner.DueOfUndoing(result.Call.Config.Compensate!.Timeout);
        var outcome = await new CallAttempts(runner, request).RunAsync(callSpan: null).ConfigureAwait(false);
        if (outcome.Answer is not { } answer)
            return outcome.Error;
        answer.Body.Release();
        return answer.IsSuccess ? null : CallRun.OfStatus(answer.Status);
    }
}
