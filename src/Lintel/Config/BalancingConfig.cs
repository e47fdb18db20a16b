using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The load-balancing algorithm of a service.</summary>
public enum BalancingKind
{
    /// <summary>The less busy of two random instances, by requests in flight over weight ("power of two choices").</summary>
    LeastRequests,

    /// <summary>Smooth weighted round robin.</summary>
    RoundRobin,

    /// <summary>At random, in proportion to weight.</summary>
    Random,

    /// <summary>The better of two random instances, by expected latency times requests in flight over weight (peak EWMA).</summary>
    Ewma,

    /// <summary>The same instance for equal values of a property of the request (Maglev).</summary>
    ConsistentHash,
}

/// <summary>How an instance is chosen for a request: the name of an algorithm, or an algorithm with its settings.</summary>
public sealed record BalancingConfig
{
    /// <summary>
    /// The algorithm; in files, the short form. Default <c>leastRequests</c>, or the one whose settings are given.
    /// </summary>
    public BalancingKind Kind
    {
        get =>
            ConsistentHash is not null ? BalancingKind.ConsistentHash
            : Ewma is not null ? BalancingKind.Ewma
            : field;
        init;
    }

    /// <summary>Settings of <c>ewma</c>.</summary>
    public EwmaConfig? Ewma { get; init; }

    /// <summary>Settings of <c>consistentHash</c>: which property of the request is hashed.</summary>
    public ConsistentHashConfig? ConsistentHash { get; init; }

    private const string HashHint = "name what is hashed: `balancing: { consistentHash: { header: X-User } }`";

    private static Grammar<BalancingKind> Words { get; } =
        Scalars.Choice([
            ("leastRequests", BalancingKind.LeastRequests),
            ("roundRobin", BalancingKind.RoundRobin),
            ("random", BalancingKind.Random),
            ("ewma", BalancingKind.Ewma),
            ("consistentHash", BalancingKind.ConsistentHash),
        ]);

    internal static Grammar<BalancingConfig> Grammar { get; } =
        new ShortFormGrammar<BalancingConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out BalancingConfig value) =>
            {
                value = null!;
                if (!Words.TryRead(scalar, path, report, out var kind))
                    return false;
                if (kind == BalancingKind.ConsistentHash)
                {
                    report.Add("missing-key", scalar, path, "`consistentHash` requires what is hashed", HashHint);
                    return false;
                }

                value = new BalancingConfig { Kind = kind };
                return true;
            },
            "The algorithm: leastRequests, roundRobin, random or ewma",
            new RecordGrammar<BalancingConfig>(static f =>
            {
                var balancing = new BalancingConfig
                {
                    Ewma = f.Find("ewma", EwmaConfig.Grammar),
                    ConsistentHash = f.Find("consistentHash", ConsistentHashConfig.Grammar),
                };
                if (f.IsReading && !f.Has("ewma") && !f.Has("consistentHash"))
                    f.Report(
                        "missing-key",
                        null,
                        "the algorithm is missing",
                        "write its name, such as `balancing: roundRobin`, or `{ ewma: { decay: 10s } }`, or "
                            + "`{ consistentHash: { header: X-User } }`"
                    );
                if (f.Has("ewma") && f.Has("consistentHash"))
                    f.Report("conflict", "consistentHash", "a service is balanced by one algorithm", "keep one of them");
                return balancing;
            })
        );
}

/// <summary>Settings of peak EWMA.</summary>
public sealed record EwmaConfig
{
    /// <summary>
    /// The time after which the weight of an attempt has fallen to 1/e: a shorter one follows changes faster, a longer one is calmer.
    /// Default 10s (Finagle's and Linkerd's), 100ms to 10m.
    /// </summary>
    public TimeSpan Decay { get; init; } = TimeSpan.FromSeconds(10);

    internal static Grammar<EwmaConfig> Grammar { get; } =
        new RecordGrammar<EwmaConfig>(static f => new EwmaConfig
        {
            Decay = f.Get("decay", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)), TimeSpan.FromSeconds(10)),
        });
}

/// <summary>
/// Settings of consistent hashing: one property of the request, and how far an instance may be busier than the others. Requests without the
/// property are balanced by <c>leastRequests</c>.
/// </summary>
public sealed record ConsistentHashConfig
{
    /// <summary>The name of a request header.</summary>
    public string? Header { get; init; }

    /// <summary>The name of a cookie.</summary>
    public string? Cookie { get; init; }

    /// <summary>The name of a query parameter.</summary>
    public string? Query { get; init; }

    /// <summary>
    /// The name of a claim of the authenticated caller. A dotted name leads into objects. Routes without authentication have no claims.
    /// </summary>
    public string? Claim { get; init; }

    /// <summary>Whether the client's address, behind trusted proxies, is hashed. Default <c>false</c>.</summary>
    public bool ClientIp { get; init; }

    /// <summary>
    /// The most requests in flight of an instance, in percent of the average for its weight; a request beyond them goes to the next
    /// instance of the same hash. From 100 to 1000. Default: none; 125 is a usual value (Mirrokni, Thorup and Zadimoghaddam, "Consistent
    /// Hashing with Bounded Loads").
    /// </summary>
    public double? BoundedLoad { get; init; }

    private int Properties => new[] { Header, Cookie, Query, Claim }.Count(p => p is not null) + (ClientIp ? 1 : 0);

    /// <summary>What is wrong with the settings as a whole.</summary>
    internal (string Message, string Hint)? Problem =>
        Properties switch
        {
            0 => (
                "`consistentHash` requires what is hashed",
                "add `header: NAME`, `cookie: NAME`, `query: NAME`, `claim: NAME` or `clientIp: true`"
            ),
            1 => null,
            _ => ("one property of the request is hashed", "keep one of `header`, `cookie`, `query`, `claim` and `clientIp`"),
        };

    internal static Grammar<ConsistentHashConfig> Grammar { get; } =
        new RecordGrammar<ConsistentHashConfig>(static f =>
        {
            var hash = new ConsistentHashConfig
            {
                Header = f.Find("header", AccessLogConfig.HeaderName),
                Cookie = f.Find("cookie", AffinityConfig.CookieName),
                Query = f.Find("query", Scalars.Text),
                Claim = f.Find("claim", Scalars.Text),
                ClientIp = f.Get("clientIp", Scalars.Boolean, false),
                BoundedLoad = f.FindValue("boundedLoad", Scalars.PercentOf(100, 1000)),
            };
            var isComplete = !f.HasFailed("claim") && !f.HasFailed("header") && !f.HasFailed("cookie") && !f.HasFailed("query");
            if (f.IsReading && isComplete && !f.HasFailed("clientIp") && hash.Problem is { } problem)
                f.Report(hash.Properties == 0 ? "missing-key" : "conflict", null, problem.Message, problem.Hint);
            return hash;
        });
}
