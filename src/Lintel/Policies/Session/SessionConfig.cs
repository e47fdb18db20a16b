using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Session;

/// <summary>
/// Logs users of browsers in at an OpenID provider, and keeps their tokens in the gateway (a backend for frontends): the browser has a
/// cookie that says nothing, services receive the user's access token.
/// </summary>
/// <remarks>
/// The gateway is a confidential client of the provider: authorization code flow with PKCE (RFC 7636). Below <see cref="Path"/> it serves
/// <c>/login</c>, <c>/callback</c>, <c>/logout</c>, <c>/user</c> and <c>/backchannel-logout</c>; <c>PATH/callback</c> is the redirect URI
/// to register at the provider. Sessions are in the memory of the process: they end with it.
/// </remarks>
public sealed record SessionConfig : ProviderClientConfig
{
    internal const string Key = "session";

    private const string OpenId = "openid";

    private const string DefaultPath = "/bff";

    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Longest = TimeSpan.FromDays(90);

    /// <summary>
    /// The scopes that are requested; <c>openid</c> is among them. Default: <c>[openid]</c>. Most providers issue refresh tokens only with
    /// <c>offline_access</c>; without one a session ends with its access token.
    /// </summary>
    public ValueList<string> Scopes { get; init; } = [OpenId];

    /// <summary>
    /// Further parameters of the authorization request that a provider needs, such as <c>audience</c> or <c>prompt</c>. Default: none.
    /// </summary>
    public ValueMap<string> Parameters { get; init; } = [];

    /// <summary>Whether claims are also requested at the provider's UserInfo endpoint, once at the login. Default false.</summary>
    public bool UserInfo { get; init; }

    /// <summary>The path below which the policy's endpoints are. Default <c>/bff</c>.</summary>
    public string Path { get; init; } = DefaultPath;

    /// <summary>
    /// The hosts on which users may log in, as in <c>match.hosts</c>. Default: those of the routes that use the policy, and any other; then
    /// only the redirect URIs that are registered at the provider decide where a login may end.
    /// </summary>
    public ValueList<string> Hosts { get; init; } = [];

    /// <summary>
    /// The last part of the cookie's name, <c>__Host-lintel-NAME</c>. Default: the name of the policy, <c>session</c> if it has none.
    /// </summary>
    public string? Cookie { get; init; }

    /// <summary>The time without requests after which a session ends. Default 30 m, 1 m to 90 d; at most <see cref="Lifetime"/>.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>The time after which a session ends in any case, and its user must log in again. Default 12 h, 1 m to 90 d.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromHours(12);

    /// <summary>
    /// How long before its end an access token is refreshed, in the background; of shorter-lived tokens at most half their lifetime.
    /// Default 1 m, 0 s to 1 h.
    /// </summary>
    public TimeSpan RefreshAhead { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The path to which a browser goes after a login or logout that does not say where. Default <c>/</c>.</summary>
    public string ReturnTo { get; init; } = "/";

    /// <summary>
    /// Whether a logout also ends the user's session at the provider (OpenID Connect RP-Initiated Logout 1.0), if the provider supports it:
    /// the user is logged out of other applications, too. Default true.
    /// </summary>
    public bool LogoutEverywhere { get; init; } = true;

    /// <summary>Where sessions are kept: <c>memory</c>, that of the process (default).</summary>
    public StateKind Store { get; init; }

    /// <summary>Parameters that the login itself sets.</summary>
    private static readonly string[] OwnParameters =
    [
        "response_type",
        "response_mode",
        "client_id",
        "client_secret",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
    ];

    private static Grammar<string> PathGrammar { get; } =
        new ScalarGrammar<string>(
            "a path of plain segments",
            "^(/[A-Za-z0-9._~-]+)+$",
            static (string text, out string value) =>
            {
                value = text;
                return IsPath(text);
            },
            "write a path such as `/bff`, without a slash at its end and without parameters"
        );

    private static Grammar<string> ReturnGrammar { get; } =
        new ScalarGrammar<string>(
            "a path of the same host",
            "^/",
            static (string text, out string value) =>
            {
                value = text;
                return ReturnUrl.IsOwnPath(text);
            },
            "write a path such as `/app`; a login never leads to another host"
        );

    internal static Grammar<SessionConfig> Grammar { get; } =
        new RecordGrammar<SessionConfig>(static f =>
        {
            var session = new SessionConfig
            {
                Issuer = f.Require("issuer", IssuerGrammar),
                ClientId = f.Require("clientId", Scalars.Text),
                ClientSecret = f.Find("clientSecret", SecretGrammar),
                ClientKey = f.Find("clientKey", Scalars.FilePath),
                ClientKeyId = f.Find("clientKeyId", Scalars.Text),
                ClientAuthentication = f.FindValue("clientAuthentication", ClientAuthenticationGrammar),
                Authorities = f.Find("authorities", Scalars.FilePath),
                Timeout = f.Get("timeout", TimeoutGrammar, DefaultTimeout),
                Scopes = f.Get("scopes", new ListGrammar<string>(ClientConfig.ScopeGrammar, minimum: 1, allowSingle: true), [OpenId]),
                Parameters = f.Map("parameters", Scalars.Text),
                UserInfo = f.Get("userInfo", Scalars.Boolean, false),
                Path = f.Get("path", PathGrammar, DefaultPath),
                Hosts = f.FilledList("hosts", MatchConfig.HostGrammar, "list a host, or remove the key", allowSingle: true),
                Cookie = f.Find("cookie", Scalars.Name),
                Idle = f.Get("idle", Scalars.Duration(Shortest, Longest), TimeSpan.FromMinutes(30)),
                Lifetime = f.Get("lifetime", Scalars.Duration(Shortest, Longest), TimeSpan.FromHours(12)),
                RefreshAhead = f.Get("refreshAhead", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromHours(1)), TimeSpan.FromMinutes(1)),
                ReturnTo = f.Get("returnTo", ReturnGrammar, "/"),
                LogoutEverywhere = f.Get("logoutEverywhere", Scalars.Boolean, true),
                Store = f.Get("store", Scalars.Choice([("memory", StateKind.Memory)], "redis"), StateKind.Memory),
            };
            if (
                f.IsReading
                && !f.HasFailed("clientSecret")
                && !f.HasFailed("clientKey")
                && session.CredentialProblem is var (message, hint)
            )
                f.Report("conflict", null, message, hint);
            if (f.IsReading && session.OwnProblem is var (key, what, remedy))
                f.Report("conflict", key, what, remedy);
            return session;
        });

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem =>
        CredentialProblem is { } credential ? credential
        : Issuer is null ? ("the policy has no issuer", "set `Issuer`")
        : !IsPath(Path) ? ("the path is not one of plain segments", "set `Path` to a path such as `/bff`")
        : !ReturnUrl.IsOwnPath(ReturnTo) ? ("`ReturnTo` is not a path of the same host", "set it to a path such as `/app`")
        : OwnProblem is var (_, message, hint) ? (message, hint)
        : null;

    private (string? Key, string Message, string Hint)? OwnProblem =>
        !Scopes.Contains(OpenId) ? ("scopes", "`openid` is not among the scopes: the provider would not say who the user is", "add it")
        : Idle > Lifetime
            ? ("idle", "`idle` is longer than `lifetime`, so it would have no effect", "reduce it, or set a longer `lifetime`")
        : Parameters.Keys.FirstOrDefault(p => OwnParameters.Contains(p)) is { } own
            ? ("parameters", $"the login itself sets `{own}`", "remove it")
        : null;

    private static bool IsPath(string text) =>
        text.Length > 1
        && text[0] == '/'
        && text[1..]
            .Split('/')
            .All(static s =>
                s is not ("" or "." or "..") && s.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '~' or '-')
            );
}
