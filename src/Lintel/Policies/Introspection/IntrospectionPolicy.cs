using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Identities.Tokens;
using Lintel.Pipeline;

namespace Lintel.Policies.Introspection;

/// <summary>Phase 2: asks the provider whether a token is valid.</summary>
internal sealed class IntrospectionPolicy : AuthenticationPolicy, IDisposable
{
    /// <summary>How many answers are kept, as hashes of the tokens with their claims.</summary>
    private const int MaxAnswers = 10_000;

    /// <summary>How many tokens are asked for at a time: beyond that made-up tokens would keep the provider busy.</summary>
    private const int MaxQuestions = 256;

    /// <summary>How long it is known that a token is not valid: a token that is issued right now is not refused for long.</summary>
    private static readonly TimeSpan NegativeCache = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    private readonly IntrospectionConfig _config;
    private readonly TimeProvider _time;
    private readonly ProviderClient _client;
    private readonly ClientAuthentication _authentication;
    private readonly OpenIdProvider? _provider;
    private readonly ProofOfPossession _proofs;
    private readonly TokenCache<Answer> _answers = new(MaxAnswers);
    private readonly ConcurrentDictionary<TokenHash, Lazy<Task<Answer>>> _questions = new();

    /// <exception cref="FormatException">A key cannot be used.</exception>
    public IntrospectionPolicy(IntrospectionConfig config, PolicyParts parts)
    {
        (_config, _time) = (config, parts.Time);
        _authentication = new ClientAuthentication(config);
        _client = parts.CreateProviderClient(config);
        _provider = config.Issuer is { } issuer ? new OpenIdProvider(issuer, _client, parts.Time) : null;
        _proofs = new ProofOfPossession([], demandsNonce: false, parts.Time);
    }

    public void Dispose()
    {
        _client.Dispose();
        _authentication.Dispose();
    }

    public override async ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange)
    {
        var token = BearerToken.Read(exchange, BearerToken.Authorization);
        if (token.Problem is { } problem)
            return AuthenticationResult.Invalid("invalid_request", problem);
        if (token.Text is not { } text)
            return AuthenticationResult.Absent;
        if (text.Length > SignedToken.MaxLength)
            return Refuse("it is longer than 16 KiB");
        var hash = TokenHash.Of(text);
        if (!_answers.TryGet(hash, _time.GetUtcNow(), out var answer))
        {
            try
            {
                answer = await AskOnceAsync(hash, text).WaitAsync(exchange.Aborted).ConfigureAwait(false);
            }
            catch (ProviderException e)
            {
                return AuthenticationResult.Unavailable($"the token cannot be checked: {e.Message}", e);
            }
        }

        if (answer.Identity is not { } identity)
            return Refuse(answer.Problem!);
        return _proofs.Check(exchange, token, answer.Binding)
            ?? AuthenticationResult.Accept(identity, token.Credential(BearerToken.Authorization));
    }

    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) =>
        _proofs.Challenge(result, BearerToken.Read(exchange, BearerToken.Authorization).IsDpop);

    private static AuthenticationResult Refuse(string detail) =>
        AuthenticationResult.Invalid("invalid_token", "the token is not valid") with
        {
            LogDetail = $"the token is refused: {detail}",
        };

    /// <summary>
    /// Asks for a token, or waits with others that ask for the same. The question does not end with the request that asked.
    /// </summary>
    private Task<Answer> AskOnceAsync(TokenHash hash, string token)
    {
        if (_questions.Count >= MaxQuestions && !_questions.ContainsKey(hash))
            throw new ProviderException("too many tokens are being asked for");
        return _questions.GetOrAdd(hash, h => new Lazy<Task<Answer>>(() => Task.Run(() => AskAsync(h, token)))).Value;
    }

    private async Task<Answer> AskAsync(TokenHash hash, string token)
    {
        try
        {
            var address = _config.Address ?? (await _provider!.MetadataAsync(CancellationToken.None).ConfigureAwait(false)).Introspection;
            if (address is null)
                throw new ProviderException($"the metadata of {_config.Issuer} has no `introspection_endpoint`");
            List<KeyValuePair<string, string>> form = [new("token", token), new("token_type_hint", "access_token")];
            _authentication.AddTo(form, _config.Issuer ?? address.AbsoluteUri, _time.GetUtcNow());
            var said = await _client.PostAsync(address, form, _authentication.Header, CancellationToken.None).ConfigureAwait(false);
            var answer = Read(said, address);
            if (answer.Until > _time.GetUtcNow())
                _answers.Set(hash, answer, answer.Until);
            return answer;
        }
        finally
        {
            _questions.TryRemove(hash, out _);
        }
    }

    private Answer Read(ProviderAnswer said, Uri address)
    {
        if (
            said.Status != HttpStatusCode.OK
            || said.Json is not { ValueKind: JsonValueKind.Object } claims
            || !claims.TryGetProperty("active", out var active)
            || active.ValueKind is not (JsonValueKind.True or JsonValueKind.False)
        )
            throw new ProviderException($"{address} answered {(int)said.Status} without saying whether the token is `active`");
        var now = _time.GetUtcNow();
        var kept = now + (_config.Cache < NegativeCache ? _config.Cache : NegativeCache);
        if (active.ValueKind == JsonValueKind.False)
            return new Answer("the provider says so", kept);
        return Check(claims, now, out var expires, out var binding) is { } problem
            ? new Answer(problem, kept)
            : new Answer(null, expires < now + _config.Cache ? expires.Value : now + _config.Cache)
            {
                Identity = new CallerIdentity(IntrospectionConfig.Key, new ClaimSet(claims)) { Expires = expires },
                Binding = binding,
            };
    }

    /// <summary>Checks what an active token is for.</summary>
    private string? Check(JsonElement claims, DateTimeOffset now, out DateTimeOffset? expires, out Confirmation? binding)
    {
        binding = null;
        if (!TokenRules.TryTime(claims, "exp", out expires) || !TokenRules.TryTime(claims, "nbf", out var notBefore))
            return "`exp` or `nbf` is not a time";
        if (expires <= now || now < notBefore - ClockSkew)
            return "it has expired, or is not valid yet";
        if (
            _config.Issuer is { } issuer
            && claims.TryGetProperty("iss", out _)
            && !(StrictJson.TryText(claims, "iss", out var own) && own == issuer)
        )
            return "its issuer is another";
        if (_config.Audiences.Count > 0 && !TokenRules.HasAudience(claims, _config.Audiences))
            return "its audience is another";
        return Confirmation.TryRead(claims, out binding) ? null : "it is bound in a way that is not known (`cnf`)";
    }

    /// <summary>What is known of a token.</summary>
    /// <param name="Problem">Why it is refused; <see langword="null"/> if it is valid.</param>
    /// <param name="Until">The time from which the provider is asked again.</param>
    private sealed record Answer(string? Problem, DateTimeOffset Until)
    {
        public CallerIdentity? Identity { get; init; }

        public Confirmation? Binding { get; init; }
    }
}
