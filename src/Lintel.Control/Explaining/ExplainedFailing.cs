using System.Globalization;
using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Control.Explaining;

/// <summary>What would happen if attempts at a service failed, were slow or too many.</summary>
/// <param name="Service">The service.</param>
/// <param name="Rules">In words.</param>
internal sealed record ExplainedFailing(string Service, IReadOnlyList<string> Rules)
{
    /// <param name="name">The name of the service.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="mayRepeat">Whether the request may be sent again after the service may have received it.</param>
    /// <param name="isHedged">Whether a slow request would be hedged.</param>
    public static ExplainedFailing Of(string name, ServiceConfig config, bool mayRepeat, bool isHedged)
    {
        var rules = new List<string> { Retries(config.Retry, mayRepeat) };
        if (config.Hedge is { } hedge)
            rules.Add(isHedged ? Hedging(hedge) : "not hedged: only requests without a body that may be sent twice are");
        if (config.Breaker is { } breaker)
            rules.Add(
                $"circuit breaker: opens for {Scalars.Format(breaker.OpenFor)} if {Percent(100 * breaker.FailureRatio)} of at least "
                    + $"{breaker.MinimumRequests} attempts within {Scalars.Format(breaker.Window)} fail"
            );
        if (config.Limits is { } limits)
            rules.Add(
                $"at most {limits.Concurrent} attempts in flight{(limits.Adaptive ? ", fewer if they become slower" : "")}"
                    + (limits.Queue > 0 ? $", {limits.Queue} more wait up to {Scalars.Format(limits.QueueTimeout)}" : "")
            );
        return new(name, rules);
    }

    private static string Retries(RetryConfig? retry, bool mayRepeat)
    {
        if (retry is null)
            return "up to 3 attempts while no connection can be established";
        if (retry.Attempts == 1)
            return "one attempt";
        var conditions = retry
            .On.Where(c => mayRepeat || c == RetryCondition.Connect || c == RetryCondition.NotProcessed)
            .Select(c => c.Word)
            .ToList();
        if (conditions.Count == 0)
            return "one attempt: the request may not be sent twice";
        return $"up to {retry.Attempts} attempts: after {string.Join(", ", conditions)}"
            + (mayRepeat ? "" : " only: the request may not be sent twice")
            + (retry.PerTryTimeout is { } limit ? $"; {Scalars.Format(limit)} each" : "")
            + (mayRepeat ? $"; at most {Percent(retry.Budget)} of the requests" : "");
    }

    private static string Hedging(HedgeConfig hedge) =>
        $"hedged after {(hedge.After is { } after ? Scalars.Format(after) : "the p95 of the response times")}, up to {hedge.Max} more "
        + $"{(hedge.Max == 1 ? "attempt" : "attempts")}, at most {Percent(hedge.Budget)} of the requests";

    private static string Percent(double value) => value.ToString("0.##", CultureInfo.InvariantCulture) + " %";
}
