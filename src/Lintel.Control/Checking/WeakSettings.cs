using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Pipeline;
using Lintel.Policies.ApiKey;
using Lintel.Policies.Authorize;
using Lintel.Policies.Basic;
using Lintel.Policies.Cors;
using Lintel.Policies.SecurityHeaders;
using Lintel.Policies.Session;
using Lintel.Runtime;

namespace Lintel.Control.Checking;

/// <summary>Finds settings of a valid configuration that are allowed, and weak: what an auditor of the gateway would ask about.</summary>
/// <remarks>Each finding is a warning with a code, by which it can be left out where it is intended.</remarks>
internal sealed class WeakSettings
{
    public const string OpenRoute = "open-route";
    public const string RuleWithoutCaller = "rule-without-caller";
    public const string PlainCredentials = "plain-credentials";
    public const string PlainService = "plain-service";
    public const string PlainProvider = "plain-provider";
    public const string KeyInQuery = "key-in-query";
    public const string AnyOrigin = "any-origin";
    public const string AnyProxy = "any-proxy";
    public const string WeakHash = "weak-hash";
    public const string OldTls = "old-tls";
    public const string NoSecurityHeaders = "no-security-headers";

    /// <summary>All codes.</summary>
    public static readonly string[] Codes =
    [
        OpenRoute,
        RuleWithoutCaller,
        PlainCredentials,
        PlainService,
        PlainProvider,
        KeyInQuery,
        AnyOrigin,
        AnyProxy,
        WeakHash,
        OldTls,
        NoSecurityHeaders,
    ];

    private readonly GatewayConfig _config;
    private readonly ProblemSink _problems;
    private readonly Dictionary<string, PolicySet> _policies;

    private readonly IReadOnlyCollection<string> _except;

    private WeakSettings(GatewayConfig config, Snapshot snapshot, ProblemSink problems, IReadOnlyCollection<string> except)
    {
        (_config, _problems, _except) = (config, problems, except);
        _policies = snapshot
            .Routes.All.Select(r => r.Candidate.Route)
            .DistinctBy(r => r.Name)
            .ToDictionary(r => r.Name, r => r.Policies, StringComparer.Ordinal);
    }

    /// <summary>Compiles the configuration that was read, and reports what is weak in it.</summary>
    /// <param name="reading">The configuration.</param>
    /// <param name="compiler">Compiles it; nothing goes live.</param>
    /// <param name="except">Codes of findings that are intended.</param>
    /// <returns>The report of the findings; that of the configuration if it is not valid.</returns>
    public static ConfigReport Find(SourceReading reading, SnapshotCompiler compiler, IReadOnlyCollection<string> except)
    {
        if (reading.Config is not { } config || compiler.Compile(config, reading.Root, reading.Report) is not { } snapshot)
            return reading.Report;
        try
        {
            var report = new ConfigReport();
            new WeakSettings(config, snapshot, new ProblemSink(reading.Root, report), except).Find();
            return report;
        }
        finally
        {
            snapshot.Retire();
        }
    }

    private void Find()
    {
        foreach (var (name, route) in _config.Routes)
            CheckRoute(name, route);
        foreach (var (policy, path) in WrittenPolicies())
            CheckPolicy(policy, path[policy.Kind]);
        foreach (var (name, listener) in _config.Listeners)
            CheckListener(name, listener);
        if (_config.TrustedProxies.From.FirstOrDefault(IsEverywhere) is { } all)
            ReportProxies(all, KeyPath.Root["trustedProxies"]);
    }

    private void CheckRoute(string name, RouteConfig route)
    {
        var path = KeyPath.Root["routes"][name];
        var policies = _policies.GetValueOrDefault(name, PolicySet.None).All;
        var authenticates = policies.Any(p => p is AuthenticationPolicy);
        var listeners = Listeners(route).ToList();
        var isMutual = listeners.TrueForAll(l => l.Value.ClientCertificates is { Mode: ClientCertificateMode.Required });
        if (!authenticates && !isMutual && (route.Forward ?? (object?)route.Compose) is not null && !policies.Any(p => p is IAdmitting))
            Warn(
                OpenRoute,
                path,
                $"the route `{name}` sends requests of anybody to services",
                "add a policy that authenticates (`apiKey`, `basic`, …) or one that restricts (`access`), or `--except open-route` if that "
                    + "is intended"
            );
        if (!authenticates && policies.Any(p => p is AuthorizePolicy) && !isMutual)
            Warn(
                RuleWithoutCaller,
                path["policies"],
                $"the route `{name}` has `authorize`, and no policy that establishes the caller",
                "add a policy that authenticates: without a caller most rules are never met, and `not` always is"
            );
        if (policies.Any(p => p is SessionPolicy) && !policies.Any(p => p is SecurityHeadersPolicy))
            Warn(
                NoSecurityHeaders,
                path,
                $"the route `{name}` serves browsers with a session, and its responses have no security headers",
                "add `securityHeaders`, with a `contentSecurityPolicy` that names where scripts come from"
            );
        if (!authenticates)
            return;
        var plain = listeners.Where(l => !l.Value.Address.IsTls && !l.Value.Address.IsLoopback && !l.Value.Address.IsUnix).ToList();
        if (plain.Find(l => (l.Value.TrustedProxies ?? _config.TrustedProxies).From.Count == 0) is { Value: not null } open)
            Warn(
                PlainCredentials,
                KeyPath.Root["listeners"][open.Key],
                $"the route `{name}` receives credentials at `{open.Key}`, which is not encrypted",
                "listen on https, add `match.listeners` to the route, or name the proxies that encrypt in `trustedProxies`"
            );
        foreach (var service in RouteReferences.Services(route).Distinct(StringComparer.Ordinal).Where(IsPlain))
            Warn(
                PlainService,
                KeyPath.Root["services"][service],
                $"requests of the route `{name}`, which authenticates, reach the service `{service}` unencrypted",
                "use https for its instances, or `--except plain-service` if the network is trusted"
            );
    }

    private void CheckPolicy(PolicyConfig policy, KeyPath path)
    {
        switch (policy)
        {
            case ApiKeyConfig { Query: { } query }:
                Warn(
                    KeyInQuery,
                    path["query"],
                    $"keys in the query parameter `{query}` end up in histories and in logs of other systems",
                    "use `header`"
                );
                break;
            case BasicConfig basic:
                foreach (var (user, _) in basic.Users.Where(u => IsWeak(u.Value)))
                    Warn(
                        WeakHash,
                        path["users"][user],
                        $"the password of `{user}` is hashed with fewer than {Identities.PasswordHash.UsualIterations} iterations",
                        "hash it again with `lintel password hash`"
                    );
                break;
            case CorsConfig cors when cors.Origins.Contains(CorsConfig.Any):
                Warn(AnyOrigin, path["origins"], "pages of any origin may read the responses", "list the origins that need to");
                break;
            case ProviderConfig { Issuer: { } issuer }
                when Uri.TryCreate(issuer, UriKind.Absolute, out var address) && IsPlainAddress(address):
                ReportProvider(address, path["issuer"]);
                break;
            case AuthorizeConfig { Http: { } address } when IsPlainAddress(address):
                ReportProvider(address, path["http"]);
                break;
        }
    }

    private void CheckListener(string name, ListenerConfig listener)
    {
        var path = KeyPath.Root["listeners"][name];
        if (listener.Tls.CipherSuites.Any(TlsConfig.IsOld))
            Warn(
                OldTls,
                path["tls"]["cipherSuites"],
                $"`{name}` offers cipher suites with CBC, which have been attacked (Lucky Thirteen)",
                "remove them, unless clients of before 2014 matter"
            );
        if (listener.TrustedProxies?.From.FirstOrDefault(IsEverywhere) is { } all)
            ReportProxies(all, path["trustedProxies"]);
    }

    private IEnumerable<(PolicyConfig Policy, KeyPath Path)> WrittenPolicies()
    {
        foreach (var (name, policy) in _config.Policies)
            yield return (policy, KeyPath.Root["policies"][name]);
        foreach (var found in Inline(_config.Defaults.Policies, KeyPath.Root["defaults"]["policies"]))
            yield return found;
        foreach (var (name, route) in _config.Routes)
        {
            foreach (var found in Inline(route.Policies ?? [], KeyPath.Root["routes"][name]["policies"]))
                yield return found;
        }

        static IEnumerable<(PolicyConfig, KeyPath)> Inline(ValueList<PolicyUse> uses, KeyPath path) =>
            uses.Select((u, i) => (u.Policy, path[i])).Where(u => u.Policy is not null).Select(u => (u.Policy!, u.Item2));
    }

    private IEnumerable<KeyValuePair<string, ListenerConfig>> Listeners(RouteConfig route) =>
        _config.EffectiveListeners.Where(l => route.Match.Listeners.Count == 0 || route.Match.Listeners.Contains(l.Key));

    private bool IsPlain(string service) =>
        _config.Services.TryGetValue(service, out var written) && written.Instances.Any(i => IsPlainAddress(i.Address));

    private static bool IsPlainAddress(Uri address) => address.Scheme == Uri.UriSchemeHttp && !address.IsLoopback;

    private static bool IsWeak(BasicUserConfig user) =>
        Identities.PasswordHash.TryParse(user.Password, out var hash) && hash.Iterations < Identities.PasswordHash.UsualIterations;

    private static bool IsEverywhere(string range) => range.EndsWith("/0", StringComparison.Ordinal);

    private void ReportProvider(Uri address, KeyPath path) =>
        Warn(
            PlainProvider,
            path,
            $"what `{address.GetLeftPart(UriPartial.Authority)}` says decides who is admitted, and is not encrypted",
            "use https, or run it on the same machine"
        );

    private void ReportProxies(string range, KeyPath path) =>
        Warn(
            AnyProxy,
            path,
            $"`{range}` trusts everybody's forwarding headers: clients choose their own address",
            "list the addresses of the proxies"
        );

    private void Warn(string code, KeyPath path, string message, string hint)
    {
        if (!_except.Contains(code))
            _problems.Warn(code, path, message, hint);
    }
}
