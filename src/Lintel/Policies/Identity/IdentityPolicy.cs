using System.Collections.Frozen;
using Lintel.Errors;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Policies.Identity;

/// <summary>Phase 2, after authorization: decides what services receive about the caller.</summary>
internal sealed class IdentityPolicy : Policy, IAdmitting, IResponding, IReadingParameters, IServingEndpoints, IDisposable
{
    private const string Authorization = "Authorization";

    private const string ClientCert = "Client-Cert";

    private readonly IdentityConfig _config;
    private readonly IdentityHeader[] _headers;
    private readonly TokenSigner? _signer;
    private readonly TokenSource? _source;
    private readonly FrozenSet<string> _set;

    /// <exception cref="FormatException">A text or key cannot be used.</exception>
    public IdentityPolicy(IdentityConfig config, PolicyParts parts)
    {
        _config = config;
        _headers = [.. config.Headers.Select(h => new IdentityHeader(h.Key, h.Value))];
        _source = config.Credentials.Request is null ? null : new TokenSource(config.Credentials, parts);
        _signer = config.Jwt is null ? null : new TokenSigner(config.Jwt, parts.Time);
        IEnumerable<string?> names =
        [
            .. _headers.Select(h => h.Name),
            config.Jwt?.Header,
            _source is null ? null : Authorization,
            config.ClientCertificate ? ClientCert : null,
        ];
        _set = names.OfType<string>().ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The public keys of the tokens that the policy signs.</summary>
    public IReadOnlyList<PublicKey> PublicKeys => _signer?.PublicKeys ?? [];

    public IEnumerable<PolicyEndpoint> Endpoints =>
        _config.Jwt?.Path is { } path ? [new PolicyEndpoint("jwks", path, [HttpMethods.Get], new KeySetTarget(PublicKeys))] : [];

    public IReadOnlyList<string> Hosts => [];

    public IEnumerable<string> Parameters => _headers.SelectMany(h => h.Parameters);

    public async ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
    {
        var outbound = exchange.Outbound ??= new OutboundIdentity();
        if (_config.Credentials.Kind != CredentialsKind.Pass)
            RemoveCredentials(exchange, outbound);
        if (SetHeaders(exchange, outbound) is { } error)
            return error;
        if (_signer is not null)
            SetToken(outbound, _config.Jwt!.Header, _signer.For(exchange));
        if (_source is null)
            return null;
        var (token, refusal) = await _source.GetAsync(exchange).ConfigureAwait(false);
        SetToken(outbound, Authorization, token);
        return refusal;
    }

    /// <summary>Does to the request what <c>explain</c> shows: nothing is signed or requested, and tokens are not disclosed.</summary>
    public void Preview(Exchange exchange)
    {
        var outbound = exchange.Outbound ??= new OutboundIdentity();
        if (_config.Credentials.Kind != CredentialsKind.Pass)
            RemoveCredentials(exchange, outbound);
        foreach (var header in _headers)
        {
            _ = header.TryRender(exchange, out var value);
            Set(outbound, header.Name, value ?? (exchange.Caller is null ? $"({header.Text} of the caller)" : null));
        }

        if (_config.ClientCertificate)
            outbound.Set(ClientCert, "(the certificate of the client's connection)");
        if (_signer is not null)
            SetToken(outbound, _config.Jwt!.Header, "(a token that the gateway signs)");
        if (_source is not null)
            SetToken(outbound, Authorization, "(a token of the provider)");
    }

    /// <summary>
    /// Caches in front of the gateway do not see the headers that it has set: an answer that varies by one of them varies by something
    /// unknown (RFC 9440 section 2.4 for <c>Client-Cert</c>).
    /// </summary>
    public void Respond(Exchange exchange)
    {
        if (exchange.ResponseField("Vary") is { } vary && vary.Split(',').Any(n => _set.Contains(n.Trim())))
            exchange.SetResponseField("Vary", "*");
    }

    public void Dispose()
    {
        _signer?.Dispose();
        _source?.Dispose();
    }

    /// <summary>Removes everything that could be a credential, examined or not.</summary>
    private static void RemoveCredentials(Exchange exchange, OutboundIdentity outbound)
    {
        outbound.Remove(Authorization);
        outbound.Remove("DPoP"); // RFC 9449: a proof is of no use to others, and belongs to the token
        foreach (var place in exchange.Route!.Policies.Credentials)
            Remove(outbound, place);
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
            Remove(outbound, caller.Credential);
    }

    private static void Remove(OutboundIdentity outbound, Credential credential)
    {
        switch (credential.Place)
        {
            case CredentialPlace.Header:
                outbound.Remove(credential.Name);
                break;
            case CredentialPlace.Cookie:
                outbound.RemoveCookie(credential.Name);
                break;
            case CredentialPlace.Query:
                outbound.RemoveParameter(credential.Name);
                break;
        }
    }

    private GatewayError? SetHeaders(Exchange exchange, OutboundIdentity outbound)
    {
        foreach (var header in _headers)
        {
            if (!header.TryRender(exchange, out var value))
                return new GatewayError(GatewayErrorKind.Forbidden)
                {
                    LogDetail = $"a value for the header {header.Name} contains control characters",
                };
            Set(outbound, header.Name, value);
        }

        if (_config.ClientCertificate)
            Set(
                outbound,
                ClientCert,
                exchange.Request.Certificate is { } certificate
                    ? $":{Convert.ToBase64String(certificate.GetRawCertData())}:" // RFC 9440 section 2.2
                    : null
            );
        return null;
    }

    /// <summary>Sets a header, or at least keeps what the client sends under its name from services.</summary>
    private static void Set(OutboundIdentity outbound, string header, string? value)
    {
        if (value is null)
            outbound.Remove(header);
        else
            outbound.Set(header, value);
    }

    private static void SetToken(OutboundIdentity outbound, string header, string? token) =>
        Set(
            outbound,
            header,
            token is not null && header.Equals(Authorization, StringComparison.OrdinalIgnoreCase) ? "Bearer " + token : token
        );
}
