using Lintel.Config;
using Lintel.Errors;
using Lintel.Observability.Metrics;

namespace Lintel.Pipeline;

/// <summary>Refuses a share of the requests while the gateway itself is overloaded: cheaply, before anything is done for them.</summary>
/// <remarks>
/// Costs a request one volatile read and one comparison while nothing is short. Thread rule: any thread; <see cref="Set"/> has one caller.
/// </remarks>
internal sealed class Shedding(GatewayMetrics metrics, Random random)
{
    /// <summary>The highest level: everything is shed but a twentieth of normal, and a tenth of high priority.</summary>
    public const double MaxLevel = 3;

    /// <summary>
    /// The largest share of requests of high priority that is shed: without any requests nothing would show that the overload is over.
    /// </summary>
    public const double MaxHighShare = 0.9;

    /// <summary>
    /// The largest share of requests of normal priority that is shed: a refusal costs about half as much as a small forwarded request (9 of
    /// 16 µs, decision 0021), and refusing the last ones gains nothing.
    /// </summary>
    public const double MaxNormalShare = 0.95;

    private static readonly string[] Labels = ["memory", "loop_delay", "cpu"];

    private static readonly string[] Priorities = ["low", "normal", "high"];

    /// <summary>One of each: shedding must not allocate what is missing.</summary>
    private static readonly GatewayError[] Errors =
    [
        new(GatewayErrorKind.Overloaded, "the gateway is short of memory"),
        new(GatewayErrorKind.Overloaded, "requests wait too long for the gateway's threads"),
        new(GatewayErrorKind.Overloaded, "the gateway is short of CPU time"),
    ];

    private volatile Shortage? _shortage;

    /// <summary>How much is shed: 0 nothing, 1 low priority, 2 most of normal priority, too, <see cref="MaxLevel"/> nearly all.</summary>
    public double Level => _shortage?.Level ?? 0;

    /// <summary>The resource that raised the level last; <see langword="null"/> while nothing is shed.</summary>
    public ScarceResource? Reason => _shortage?.Reason;

    /// <summary>Sets the level.</summary>
    /// <param name="level">0 to <see cref="MaxLevel"/>.</param>
    /// <param name="reason">The resource that is short.</param>
    public void Set(double level, ScarceResource reason) => _shortage = level > 0 ? new Shortage(level, reason) : null;

    /// <summary>
    /// The error of a request that is shed; <see langword="null"/> if it is served. Its body is neither read nor buffered.
    /// </summary>
    /// <param name="exchange">The request, with its route.</param>
    public GatewayError? Refusal(Exchange exchange) => _shortage is { } shortage ? Draw(shortage, exchange.Route!.Priority) : null;

    /// <summary>The share of requests that is shed, from 0 to 1.</summary>
    /// <param name="level">0 to <see cref="MaxLevel"/>.</param>
    /// <param name="priority">The priority of their route.</param>
    public static double Share(double level, RoutePriority priority) =>
        priority switch
        {
            RoutePriority.Low => Math.Min(1, level),
            RoutePriority.Normal => Math.Clamp(level - 1, 0, MaxNormalShare),
            _ => Math.Clamp(level - 2, 0, MaxHighShare),
        };

    /// <summary>The label of a resource in metrics.</summary>
    public static string LabelOf(ScarceResource resource) => Labels[(int)resource];

    /// <summary>A sentence for people that says what is short; clients see it too.</summary>
    public static string Describe(ScarceResource resource) => Errors[(int)resource].Detail!;

    private GatewayError? Draw(Shortage shortage, RoutePriority priority)
    {
        if (random.NextDouble() >= Share(shortage.Level, priority))
            return null;
        metrics.Shed(LabelOf(shortage.Reason), Priorities[(int)priority]);
        return Errors[(int)shortage.Reason];
    }

    private sealed record Shortage(double Level, ScarceResource Reason);
}
