using System.Buffers.Binary;
using System.Security.Cryptography;
using Lintel.Config;
using Lintel.Identities.Tokens;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>
/// Checks that the sender of a token has the key or certificate that the token is bound to: DPoP (RFC 9449) and mutual TLS (RFC 8705
/// section 3). A bound token is never accepted without its proof, whatever is configured.
/// </summary>
internal sealed class ProofOfPossession
{
    /// <summary>The error code of a bad proof, and of one that lacks the gateway's nonce: RFC 9449 sections 7.1 and 9.</summary>
    private const string InvalidProof = "invalid_dpop_proof";

    private const string UseNonce = "use_dpop_nonce";
    private const string InvalidToken = "invalid_token";

    private const string ProofHeader = "DPoP";
    private const string NonceHeader = "DPoP-Nonce";

    /// <summary>How old a proof may be, and how far ahead its clock: RFC 9449 section 11.1 suggests seconds or minutes.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan NonceLifetime = TimeSpan.FromMinutes(5);

    /// <summary>32 bytes each: at most 6 MiB, for some 800 requests a second with proofs.</summary>
    private const int MaxProofs = 100_000;

    private static readonly string Algorithms = string.Join(' ', SignatureAlgorithm.All.Select(a => a.Name));

    private readonly bool _acceptsDpop;
    private readonly bool _acceptsCertificates;
    private readonly bool _demands;
    private readonly bool _demandsNonce;
    private readonly TimeProvider _time;
    private readonly SeenProofs _seen;
    private readonly byte[] _nonceKey = RandomNumberGenerator.GetBytes(32);

    /// <param name="bindings">The accepted bindings, one of which every token must have; empty for any token.</param>
    /// <param name="demandsNonce">Whether proofs need a nonce of the gateway.</param>
    /// <param name="time">The clock.</param>
    public ProofOfPossession(ValueList<TokenBinding> bindings, bool demandsNonce, TimeProvider time)
    {
        _demands = bindings.Count > 0;
        _acceptsDpop = !_demands || bindings.Contains(TokenBinding.Dpop);
        _acceptsCertificates = !_demands || bindings.Contains(TokenBinding.Certificate);
        _demandsNonce = demandsNonce;
        _time = time;
        _seen = new SeenProofs(2 * Window, MaxProofs, time);
    }

    /// <summary>Checks the proof for a valid token.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="token">The token as it was sent.</param>
    /// <param name="binding">What it is bound to; <see langword="null"/> for nothing.</param>
    /// <returns>Why the request is refused; <see langword="null"/> if it has the proof, or needs none.</returns>
    public AuthenticationResult? Check(Exchange exchange, in BearerToken token, Confirmation? binding)
    {
        if (binding is null)
        {
            if (token.IsDpop)
                return Refuse(InvalidToken, "the token is not bound to a key: send it as a Bearer token");
            return _demands ? Refuse(InvalidToken, "the token is not bound to a key or certificate") : null;
        }

        if ((binding.Key is null || !_acceptsDpop) && (binding.Certificate is null || !_acceptsCertificates))
            return Refuse(InvalidToken, "the token is bound in another way than this resource demands");
        if (binding.Certificate is { } certificate && !HasCertificate(exchange, certificate))
            return Refuse(InvalidToken, "the token is bound to a client certificate that this connection does not have");
        if (binding.Key is not { } key)
            return token.IsDpop ? Refuse(InvalidToken, "the token is not bound to a key: send it as a Bearer token") : null;
        return token.IsDpop
            ? CheckProof(exchange, token.Text!, key)
            : Refuse(InvalidToken, "the token is bound to a key: send it with the scheme DPoP and a proof");
    }

    /// <summary>The challenges of a refusal: RFC 6750 section 3, RFC 9449 section 7.1.</summary>
    public IEnumerable<string> Challenge(in AuthenticationResult result, bool isDpop)
    {
        var error = result.ErrorCode is { } code ? $"error=\"{code}\", error_description=\"{result.Description}\"" : null;
        var challenges = new List<string>(2);
        if (_demands ? _acceptsCertificates : !isDpop)
            challenges.Add(error is null || isDpop ? "Bearer" : $"Bearer {error}");
        if (_demands ? _acceptsDpop : isDpop)
            challenges.Add($"DPoP {(error is not null && (isDpop || !_acceptsCertificates) ? error + ", " : "")}algs=\"{Algorithms}\"");
        return challenges;
    }

    private AuthenticationResult? CheckProof(Exchange exchange, string token, string key)
    {
        if (!exchange.Request.Headers.TryGetValue(ProofHeader, out var values) || values is not [{ } text])
            return Refuse(InvalidProof, "exactly one DPoP header is needed");
        if (!DpopProof.TryParse(text, out var proof, out var problem))
            return Refuse(InvalidProof, "the DPoP proof is not valid", problem);
        if (proof.Method != exchange.Method)
            return Refuse(InvalidProof, "the DPoP proof is for another method");
        if (!IsFor(proof.Url, exchange))
            return Refuse(InvalidProof, "the DPoP proof is for another URL");
        if ((_time.GetUtcNow() - proof.Issued).Duration() > Window)
            return Refuse(InvalidProof, "the DPoP proof is too old, or its clock is wrong");
        if (!proof.IsFor(token))
            return Refuse(InvalidProof, "the DPoP proof is for another token");
        if (proof.Key != key)
            return Refuse(InvalidToken, "the token is bound to another key than that of the DPoP proof");
        if (_demandsNonce && !IsNonce(proof.Nonce))
            return Refuse(UseNonce, "the DPoP proof needs the nonce of this response") with { Headers = [new(NonceHeader, Nonce())] };
        return _seen.TryAdd(TokenHash.Of($"{proof.Key} {proof.Id}")) switch
        {
            true => null,
            false => Refuse(InvalidProof, "the DPoP proof has been used before"),
            _ => AuthenticationResult.Unavailable("too many DPoP proofs are in use to tell whether this one has been used before"),
        };
    }

    private static AuthenticationResult Refuse(string code, string description, string? detail = null) =>
        AuthenticationResult.Invalid(code, description) with
        {
            LogDetail = detail is null ? null : $"{description}: {detail}",
        };

    private static bool HasCertificate(Exchange exchange, string thumbprint) =>
        exchange.Request.Certificate is { } certificate && Base64.Encode(SHA256.HashData(certificate.RawData)) == thumbprint;

    /// <summary>Whether a URL is that of the request as its client sent it, without query and fragment (RFC 9449 section 4.3).</summary>
    private static bool IsFor(string url, Exchange exchange)
    {
        var end = url.IndexOf("://", StringComparison.Ordinal);
        if (end < 0 || !url.AsSpan(0, end).Equals(exchange.Scheme, StringComparison.OrdinalIgnoreCase))
            return false;
        var rest = url.AsSpan(end + 3);
        if (rest.IndexOf('#') is >= 0 and var fragment)
            rest = rest[..fragment];
        var slash = rest.IndexOfAny('/', '?');
        var host = slash < 0 ? rest : rest[..slash];
        var path = slash < 0 || rest[slash] == '?' ? "/" : rest[slash..].ToString();
        return WithoutPort(host, exchange).Equals(WithoutPort(exchange.Host, exchange), StringComparison.OrdinalIgnoreCase)
            && RequestTarget.TryParse(path, out var target, out _)
            && target.Path == exchange.RequestTarget.Path;
    }

    private static ReadOnlySpan<char> WithoutPort(ReadOnlySpan<char> host, Exchange exchange)
    {
        var port = exchange.IsHttps ? ":443" : ":80";
        return host.EndsWith(port, StringComparison.Ordinal) ? host[..^port.Length] : host;
    }

    /// <summary>A time with its keyed hash: the gateway remembers no nonces.</summary>
    private string Nonce() => Base64.Encode(Seal(_time.GetUtcNow().ToUnixTimeSeconds()));

    private bool IsNonce(string? nonce)
    {
        if (nonce is not { Length: < 64 } || !Base64.TryDecode(nonce, out var bytes) || bytes.Length <= sizeof(long))
            return false;
        var seconds = BinaryPrimitives.ReadInt64BigEndian(bytes);
        return CryptographicOperations.FixedTimeEquals(bytes, Seal(seconds))
            && _time.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(seconds) < NonceLifetime;
    }

    private byte[] Seal(long seconds)
    {
        var time = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(time, seconds);
        return [.. time, .. HMACSHA256.HashData(_nonceKey, time).AsSpan(0, 16)];
    }
}
