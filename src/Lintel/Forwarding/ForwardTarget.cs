using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Services.Attempts;
using Lintel.Transport.Memory;

namespace Lintel.Forwarding;

/// <summary>The compiled form of a forwarding route.</summary>
/// <param name="Choice">Chooses the service of each request.</param>
/// <param name="Path">The path that is sent to the service; <see langword="null"/> for the request's own.</param>
/// <param name="Query">Changes to the query.</param>
/// <param name="RequestHeaders">Changes to the request headers.</param>
/// <param name="Mirror">Receives copies of some requests.</param>
internal sealed record ForwardPlan(
    ServiceChoice Choice,
    UpstreamPath? Path,
    QueryChanges Query,
    HeaderChanges RequestHeaders,
    Mirror? Mirror
)
{
    /// <summary>The protocols that requests may switch to.</summary>
    public UpgradeSet Upgrades { get; init; } = UpgradeSet.Default;

    /// <summary>Whether the service recognizes repeated requests, whatever their method.</summary>
    public bool IsIdempotent { get; init; }
}

/// <summary>The gateway's parts that forwarding uses.</summary>
internal sealed record ForwardParts(Forwarders Forwarders, AttemptParts Attempts, MemoryBudget Memory)
{
    public GatewayMetrics Metrics => Attempts.Metrics;

    public TimeProvider Time => Attempts.Time;
}

/// <summary>Sends the request to an instance of a service, and again where the service's retry rules allow it.</summary>
internal sealed class ForwardTarget(ForwardPlan plan, ForwardParts parts) : Target
{
    /// <summary>The error that an attempt with an escaped exception is counted as.</summary>
    private static readonly GatewayError Escaped = new(GatewayErrorKind.Internal);

    /// <summary>The forwarding plan, for <c>explain</c>.</summary>
    public ForwardPlan Plan => plan;

    /// <remarks>
    /// The attempt loop is inline and not a separate method: each async method on the path costs every request an object and a resumption
    /// (decision 0015).
    /// </remarks>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public override async ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        if (RequestChecks.AnswersLastHop(exchange))
            return null;
        var run = new ForwardRun(exchange, plan, parts);
        var error = run.Prepare();
        try
        {
            while (error is null)
            {
                if (!run.TryAdmit(out error))
                {
                    error ??= run.Waited(await run.WaitAsync().ConfigureAwait(false));
                    if (error is not null)
                        break;
                }

                run.BeginAttempt();
                error = Escaped;
                try
                {
                    error = await run.SendAsync().ConfigureAwait(false);
                }
                finally
                {
                    run.EndAttempt(error);
                }

                if (error is null || !run.TryContinue(error))
                    break;
                if (run.Delay > TimeSpan.Zero)
                    await Task.Delay(run.Delay, parts.Time, exchange.Aborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                error = run.Repeat();
            }
        }
        finally
        {
            run.End(isCopied: !ReferenceEquals(error, Escaped));
        }

        return error;
    }
}
