using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Lintel.Identities.Tokens;

/// <summary>A proof of possession of a key, made for one request (RFC 9449 section 4.2). Its signature is verified.</summary>
internal sealed record DpopProof
{
    /// <summary>Longer ones are not decoded: a proof with an RSA key of 4096 bits has about 1.6 KiB.</summary>
    private const int MaxLength = 8 * 1024;

    private const int LongestId = 256;

    /// <summary>The thumbprint of its key.</summary>
    public required string Key { get; init; }

    /// <summary>Its identifier, which it must not share with another proof of the key.</summary>
    public required string Id { get; init; }

    /// <summary>The method of the request.</summary>
    public required string Method { get; init; }

    /// <summary>The URL of the request.</summary>
    public required string Url { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Issued { get; init; }

    /// <summary>The hash of the token; <see langword="null"/> for none.</summary>
    public string? TokenHash { get; private init; }

    /// <summary>What the gateway has given the client to prove that the proof is fresh; <see langword="null"/> for none.</summary>
    public string? Nonce { get; private init; }

    /// <summary>Parses and verifies a proof: rules 2 to 7 of RFC 9449 section 4.3.</summary>
    /// <param name="text">The content of the header <c>DPoP</c>.</param>
    /// <param name="proof">The proof.</param>
    /// <param name="problem">Why it is refused, for the log.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out DpopProof? proof, [NotNullWhen(false)] out string? problem)
    {
        proof = null;
        if (text.Length > MaxLength)
            return Fail("it is longer than 8 KiB", out problem);
        if (!SignedToken.TryParse(text, out var token, out problem))
            return false;
        if (token.Type != "dpop+jwt")
            return Fail("its type (`typ`) is not dpop+jwt", out problem);
        if (SignatureAlgorithm.Find(token.Algorithm) is not { } algorithm)
            return Fail("its algorithm is not accepted", out problem);
        if (!TryKey(token, out var key, out problem))
            return false;
        if (!key.Fits(algorithm) || !token.IsSignedBy(key, algorithm))
            return Fail("its signature is wrong", out problem);
        var claims = token.Payload;
        if (
            !StrictJson.TryText(claims, "jti", out var id)
            || id.Length is 0 or > LongestId
            || !StrictJson.TryText(claims, "htm", out var method)
            || !StrictJson.TryText(claims, "htu", out var url)
            || !TokenRules.TryTime(claims, "iat", out var issued)
            || issued is null
        )
            return Fail("`jti`, `htm`, `htu` or `iat` is missing or malformed", out problem);
        proof = new DpopProof
        {
            Key = key.Thumbprint,
            Id = id,
            Method = method,
            Url = url,
            Issued = issued.Value,
            TokenHash = StrictJson.TryText(claims, "ath", out var hash) ? hash : null,
            Nonce = StrictJson.TryText(claims, "nonce", out var nonce) ? nonce : null,
        };
        return true;
    }

    /// <summary>Whether it was made for this token.</summary>
    public bool IsFor(string token) => TokenHash == Base64.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(token)));

    private static bool TryKey(SignedToken token, [NotNullWhen(true)] out VerificationKey? key, [NotNullWhen(false)] out string? problem)
    {
        (key, problem) = (null, null);
        try
        {
            key = VerificationKey.Of(token.Header.TryGetProperty("jwk", out var jwk) ? jwk : default);
            return true;
        }
        catch (FormatException e)
        {
            return Fail($"its key cannot be used: {e.Message}", out problem);
        }
    }

    private static bool Fail(string reason, out string problem)
    {
        problem = reason;
        return false;
    }
}
