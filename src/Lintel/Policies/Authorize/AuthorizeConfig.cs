using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Authorize;

/// <summary>How a decision point is asked.</summary>
public enum DecisionProtocol
{
    /// <summary>Open Policy Agent: <c>POST</c> with <c>{"input": …}</c>, answered with <c>{"result": true}</c>.</summary>
    Opa,

    /// <summary>Envoy's <c>ext_authz</c> over HTTP: the head of the request, answered with 200, 401 or 403.</summary>
    ExtAuthz,
}

/// <summary>Admits callers that meet a rule, or whom a decision point allows; all others are refused with 403 (<c>forbidden</c>).</summary>
/// <remarks>
/// The caller is known from the route's authentication policies, and inside another host from the application's. The keys of the rule are
/// written at once: <c>authorize: { scope: orders.read }</c>. Several <c>authorize</c> policies on a route must all admit.
/// </remarks>
public sealed record AuthorizeConfig : PolicyConfig
{
    internal const string Key = "authorize";

    private const string OneHint = "write a rule (`scope`, `role`, `claim`, …), or `http` with the address of a decision point";

    /// <summary>The rule. Default: <see cref="Http"/> decides.</summary>
    public RuleConfig? Rule { get; init; }

    /// <summary>
    /// The address of a decision point, which is asked with each request in place of a rule. If it does not answer as its protocol says,
    /// the request gets a 503 (<c>authorization-unavailable</c>). Never receives bodies. Default: the rule decides.
    /// </summary>
    public Uri? Http { get; init; }

    /// <summary>With <see cref="Http"/>: <c>opa</c> (default) or <c>extAuthz</c>.</summary>
    public DecisionProtocol Protocol { get; init; }

    /// <summary>With <see cref="Http"/>: the time that a decision may take, from 10 ms to 1 min. Default 200 ms, as in Envoy.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>
    /// With <see cref="Http"/>: how long a decision applies to requests with equal inputs, from 100 ms to 1 h; meanwhile one question at a
    /// time is asked for each. Failures are not kept. Default: every request is asked for.
    /// </summary>
    public TimeSpan? Cache { get; init; }

    /// <summary>
    /// With <see cref="Http"/>: the request's headers that the decision point receives. Default: none; with <c>extAuthz</c>
    /// <c>[Authorization]</c>, as in Envoy.
    /// </summary>
    public ValueList<string>? Headers { get; init; }

    /// <summary>
    /// With <see cref="Http"/>: headers of an allowing answer (<c>opa</c>: of <c>result.headers</c>) that services receive. What clients
    /// send under these names does not reach them. Default: none.
    /// </summary>
    public ValueList<string> ToService { get; init; } = [];

    /// <summary>
    /// With <c>extAuthz</c>: headers of a refusing answer that clients receive. Default: <c>[WWW-Authenticate]</c>.
    /// </summary>
    public ValueList<string>? ToClient { get; init; }

    /// <summary>
    /// With <see cref="Http"/>: a PEM file with the certificate authorities that the decision point's certificate is checked against.
    /// Default: those of the system.
    /// </summary>
    public string? Authorities { get; init; }

    /// <summary>The keys that mean something with <c>http</c> only.</summary>
    internal static readonly string[] DecisionKeys = ["protocol", "timeout", "cache", "headers", "toService", "toClient", "authorities"];

    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMilliseconds(200);

    internal static Grammar<AuthorizeConfig> Grammar { get; } = new RecordGrammar<AuthorizeConfig>(Read);

    internal ValueList<string> EffectiveHeaders => Headers ?? (Protocol == DecisionProtocol.ExtAuthz ? ["Authorization"] : []);

    internal ValueList<string> EffectiveToClient => ToClient ?? ["WWW-Authenticate"];

    internal override string Kind => Key;

    internal override IEnumerable<string> Files => Authorities is null ? [] : [Authorities];

    internal override (string Message, string Hint)? Problem =>
        (Rule, Http) switch
        {
            (null, null) => ("the policy has neither a rule nor a decision point", OneHint),
            ({ }, { }) => ("the policy has a rule and a decision point", "split it into two policies: a route can refer to both"),
            ({ } rule, _) => rule.Problem,
            _ => null,
        };

    private static AuthorizeConfig Read(RecordFields f)
    {
        var rule = RuleConfig.Read(f);
        var authorize = new AuthorizeConfig
        {
            Rule = f.Has("http") && rule == new RuleConfig() ? null : rule,
            Http = f.Find("http", ProviderConfig.AddressGrammar),
            Protocol = f.Get(
                "protocol",
                Scalars.Choice([("opa", DecisionProtocol.Opa), ("extAuthz", DecisionProtocol.ExtAuthz)]),
                DecisionProtocol.Opa
            ),
            Timeout = f.Get("timeout", Scalars.Duration(TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)), DefaultTimeout),
            Cache = f.FindValue("cache", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1))),
            Headers = f.Find("headers", HeaderNames),
            ToService = f.Get("toService", HeaderNames, []),
            ToClient = f.Find("toClient", HeaderNames),
            Authorities = f.Find("authorities", Scalars.FilePath),
        };
        if (f.IsReading)
            Check(f, authorize);
        return authorize;
    }

    private static ListGrammar<string> HeaderNames { get; } = new(HeaderGrammar.Name, allowSingle: true);

    private static void Check(RecordFields f, AuthorizeConfig authorize)
    {
        if (!f.Has("http"))
        {
            if (DecisionKeys.FirstOrDefault(f.Has) is { } alone)
                f.Report("conflict", alone, $"`{alone}` is about a decision point, and this policy has none", "add `http`, or remove it");
            if (authorize.Rule is { } rule)
                RuleConfig.Check(f, rule);
            return;
        }

        if (authorize is { Rule: not null, Http: not null })
            f.Report(
                "conflict",
                "http",
                "the policy has a rule and a decision point",
                "split it into two policies: a route can refer to both"
            );
        if (authorize.Protocol == DecisionProtocol.Opa && f.Has("toClient"))
            f.Report("conflict", "toClient", "answers of Open Policy Agent have no headers for clients", "remove it");
    }
}
