using System.Collections.Frozen;
using Lintel.Config;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Identities.Tokens;
using Lintel.Pipeline;

namespace Lintel.Policies.Jwt;

/// <summary>Phase 2: requires a token that an issuer has signed.</summary>
internal sealed class JwtPolicy : AuthenticationPolicy, IStarting, IDisposable
{
    /// <summary>Of verified tokens only their hashes and claims are kept: some 20 MiB with claims of 2 KiB.</summary>
    private const int MaxVerified = 10_000;

    private readonly string _header;
    private readonly TimeProvider _time;
    private readonly ProviderClient _client;
    private readonly FrozenDictionary<string, TokenVerifier> _issuers;
    private readonly TokenCache<VerifiedCaller> _verified = new(MaxVerified);
    private readonly ProofOfPossession _proofs;

    /// <exception cref="FormatException">A file's keys cannot be used.</exception>
    public JwtPolicy(JwtConfig config, PolicyParts parts)
    {
        _header = config.IsAuthorization ? BearerToken.Authorization : config.Header;
        _time = parts.Time;
        _proofs = new ProofOfPossession(config.BoundTo, config.DpopNonce, parts.Time);
        _client = parts.CreateProviderClient(config);
        _issuers = config.EffectiveIssuers.ToFrozenDictionary(
            i => i.Key,
            i => new TokenVerifier(RulesOf(config, i.Key, i.Value), parts.CreateKeySource(i.Key, i.Value.Jwks, _client), parts.Time),
            StringComparer.Ordinal
        );
    }

    public void Start()
    {
        foreach (var issuer in _issuers.Values)
            issuer.Keys.Start();
    }

    public void Dispose()
    {
        foreach (var issuer in _issuers.Values)
            issuer.Keys.Dispose();
        _client.Dispose();
    }

    public override IEnumerable<Credential> Places => [new Credential(CredentialPlace.Header, _header)];

    public override ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange)
    {
        var token = BearerToken.Read(exchange, _header);
        if (token.Problem is { } problem)
            return new(AuthenticationResult.Invalid("invalid_request", problem));
        if (token.Text is not { } text)
            return new(AuthenticationResult.Absent);
        if (text.Length > SignedToken.MaxLength)
            return new(Invalid(new TokenProblem("it is longer than 16 KiB")));
        var hash = TokenHash.Of(text);
        return _verified.TryGet(hash, _time.GetUtcNow(), out var caller) && caller.IsCurrent
            ? new(Prove(exchange, token, caller))
            : VerifyAsync(exchange, token, hash);
    }

    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) =>
        _proofs.Challenge(result, BearerToken.Read(exchange, _header).IsDpop);

    private async ValueTask<AuthenticationResult> VerifyAsync(Exchange exchange, BearerToken sent, TokenHash hash)
    {
        if (!SignedToken.TryParse(sent.Text!, out var token, out var problem))
            return Invalid(new TokenProblem(problem));
        // The issuer that the token claims chooses the keys that have to prove it: those of another one are never tried.
        if (!StrictJson.TryText(token.Payload, "iss", out var issuer) || !_issuers.TryGetValue(issuer, out var verifier))
            return Invalid(new TokenProblem("its issuer is another") { Description = "the token's issuer is not accepted" });
        var verified = await verifier.VerifyAsync(token, exchange.Aborted).ConfigureAwait(false);
        if (verified.Claims is not { } claims)
            return Invalid(verified.Problem!);
        if (!Confirmation.TryRead(claims.Root, out var binding))
            return Invalid(new TokenProblem("it is bound in a way that is not known (`cnf`)"));
        var identity = new CallerIdentity(JwtConfig.Key, claims) { Expires = verified.Expires };
        var caller = new VerifiedCaller(identity, binding, verifier.Keys, verified.Keys!);
        _verified.Set(hash, caller, verified.Expires + verifier.Rules.ClockSkew);
        return Prove(exchange, sent, caller);
    }

    private AuthenticationResult Prove(Exchange exchange, in BearerToken token, VerifiedCaller caller) =>
        _proofs.Check(exchange, token, caller.Binding) ?? AuthenticationResult.Accept(caller.Identity, token.Credential(_header));

    private static AuthenticationResult Invalid(TokenProblem problem) =>
        problem.Unavailable is { } cause
            ? AuthenticationResult.Unavailable(problem.Detail, cause)
            : AuthenticationResult.Invalid("invalid_token", problem.Description) with
            {
                LogDetail = $"the token is refused: {problem.Detail}",
            };

    private static TokenRules RulesOf(JwtConfig config, string issuer, JwtIssuerConfig own)
    {
        var rules = new TokenRules(issuer) { Audiences = TokenGrammar.Accepted(own.Audiences), ClockSkew = config.ClockSkew };
        if (config.Algorithms.Count > 0)
            rules = rules with { Algorithms = config.Algorithms };
        return config.Types.Count > 0 ? rules with { Types = [.. config.Types.Select(SignedToken.TypeOf)] } : rules;
    }

    /// <summary>What is remembered of a verified token.</summary>
    private sealed record VerifiedCaller(CallerIdentity Identity, Confirmation? Binding, KeySource Source, KeySet Keys)
    {
        /// <summary>Whether the issuer's keys are still those that it was verified with.</summary>
        public bool IsCurrent => ReferenceEquals(Keys, Source.Current);
    }
}
