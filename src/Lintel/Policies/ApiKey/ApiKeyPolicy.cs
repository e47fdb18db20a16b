using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.Extensions.Primitives;

namespace Lintel.Policies.ApiKey;

/// <summary>Phase 2: recognizes clients by their API key.</summary>
internal sealed class ApiKeyPolicy(ApiKeyConfig config, PolicyParts parts) : AuthenticationPolicy
{
    private static readonly string[] Challenges = ["ApiKey"];

    private readonly string? _header = config.EffectiveHeader;

    public override IEnumerable<Credential> Places
    {
        get
        {
            if (_header is not null)
                yield return new Credential(CredentialPlace.Header, _header);
            if (config.Query is { } query)
                yield return new Credential(CredentialPlace.Query, query);
        }
    }

    public override ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange) => new(Authenticate(exchange));

    /// <remarks>No standard defines a scheme for API keys, and RFC 9110 section 11.6.1 requires a challenge.</remarks>
    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) => Challenges;

    private AuthenticationResult Authenticate(Exchange exchange)
    {
        var values = StringValues.Empty;
        var credential = default(Credential);
        if (_header is not null && exchange.Request.Headers.TryGetValue(_header, out values) && values.Count > 0)
            credential = new Credential(CredentialPlace.Header, _header);
        else if (config.Query is { } query && (values = QueryValues.Find(exchange.RequestTarget.Query, query)).Count > 0)
            credential = new Credential(CredentialPlace.Query, query);
        if (values.Count == 0)
            return AuthenticationResult.Absent;
        if (values is not [{ } key]) // which of several keys counts is a matter of opinion
            return AuthenticationResult.Invalid("invalid_request", "more than one API key was sent");
        return exchange.Snapshot.Clients.TryFindKey(key, parts.Time.GetUtcNow(), out var client, out var expires)
            ? AuthenticationResult.Accept(new CallerIdentity(config.Kind, ClaimSet.None) { Client = client, Expires = expires }, credential)
            : AuthenticationResult.Invalid("invalid_token", "the API key is not valid");
    }
}
