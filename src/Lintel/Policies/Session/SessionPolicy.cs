using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.DataProtection;

namespace Lintel.Policies.Session;

/// <summary>Phase 2: recognizes users by the cookie of their session; serves the endpoints of the login.</summary>
internal sealed class SessionPolicy : AuthenticationPolicy, IServingEndpoints, IOwningCookies, IDisposable
{
    /// <summary>The challenge: no standard defines one for a login on a page.</summary>
    public const string Scheme = "Session";

    private static readonly string[] Challenges = [Scheme];

    private readonly SessionParts _parts;
    private readonly SessionRefresh _refresh;
    private readonly SessionEndpoints _endpoints;

    public SessionPolicy(SessionConfig config, PolicyParts parts)
    {
        var name = config.Cookie ?? NameOf(parts.Place);
        var protector = new Lazy<IDataProtector>(() =>
            parts.Protection.Value.CreateProtector("Lintel", SessionConfig.Key, "login", config.Issuer!, config.ClientId)
        );
        _parts = new SessionParts(
            config,
            new SessionProvider(config, parts.Time, new KeySourceLog(parts.Log, parts.Place, config.Issuer!)),
            new SessionStore(parts.State, config, name, parts.Time),
            new SessionCookies(name, () => protector.Value, parts.Time)
        )
        {
            Place = parts.Place,
            Time = parts.Time,
            Metrics = parts.Metrics,
            Log = parts.Log,
        };
        _refresh = new SessionRefresh(_parts);
        _endpoints = new SessionEndpoints(_parts);
    }

    public IEnumerable<PolicyEndpoint> Endpoints => _endpoints.All;

    public IReadOnlyList<string> Hosts => _parts.Config.Hosts;

    public IEnumerable<string> Cookies => _parts.Cookies.Names;

    public override async ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange)
    {
        if (_parts.Cookies.FindSession(exchange) is not { } id)
            return AuthenticationResult.Absent;
        if (
            _parts.Sessions.KeyOf(id) is not { } key
            || await _parts.Sessions.FindAsync(key, isUse: true, exchange.Aborted).ConfigureAwait(false) is not { } session
        )
            return Ended();
        if (BrowserRequest.Refusal(exchange) is { } refusal)
            return AuthenticationResult.Refuse(refusal);
        var current = await _refresh.EnsureAsync(key, session, exchange.Aborted).ConfigureAwait(false);
        if (current.Session is not { } valid)
            return current.Problem is { } problem ? AuthenticationResult.Unavailable(problem) : Ended();
        (exchange.Outbound ??= new OutboundIdentity()).Set("Authorization", valid.Authorization);
        return AuthenticationResult.Accept(
            valid.Identity,
            new Credential(CredentialPlace.Cookie, _parts.Cookies.NameOf(exchange), valid.Tokens.Access)
        );
    }

    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) => Challenges;

    public override string? LoginUrl(Exchange exchange)
    {
        if (!BrowserRequest.IsNavigation(exchange) || !IsServed(exchange.Host))
            return null;
        var target = exchange.RequestTarget.Path + exchange.RequestTarget.Query;
        return _parts.Config.Path
            + SessionEndpoints.Login
            + (ReturnUrl.IsOwnPath(target) ? "?returnUrl=" + Uri.EscapeDataString(target) : "");
    }

    public void Dispose() => _parts.Provider.Dispose();

    private static AuthenticationResult Ended() => AuthenticationResult.Invalid("invalid_token", "the session has ended");

    /// <summary>Whether the endpoints are on a host.</summary>
    private bool IsServed(string host)
    {
        if (Hosts.Count == 0)
            return true;
        var colon = host.LastIndexOf(':');
        var name = colon > host.LastIndexOf(']') ? host[..colon] : host;
        return Hosts.Any(h =>
            h.StartsWith("*.", StringComparison.Ordinal)
                ? name.EndsWith(h[1..], StringComparison.OrdinalIgnoreCase)
                : name.Equals(h, StringComparison.OrdinalIgnoreCase)
        );
    }

    /// <summary>The name of a policy; for one without a name its kind.</summary>
    private static string NameOf(string place)
    {
        const string Named = "policies.";
        return place.StartsWith(Named, StringComparison.Ordinal) ? place[Named.Length..] : SessionConfig.Key;
    }
}
