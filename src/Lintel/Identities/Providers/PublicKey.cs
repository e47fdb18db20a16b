using Microsoft.IdentityModel.Tokens;

namespace Lintel.Identities.Providers;

/// <summary>The public part of a key that signs tokens, as a JSON Web Key (RFC 7517, RFC 7518 section 6).</summary>
/// <param name="Id">The <c>kid</c>: the key's thumbprint (RFC 7638).</param>
/// <param name="Algorithm">The algorithm that it signs with.</param>
internal sealed record PublicKey(string Id, string Algorithm)
{
    /// <summary>The modulus of an RSA key; <see langword="null"/> for others.</summary>
    public string? Modulus { get; private init; }

    /// <summary>The exponent of an RSA key; <see langword="null"/> for others.</summary>
    public string? Exponent { get; private init; }

    /// <summary>The curve of an EC key; <see langword="null"/> for others.</summary>
    public string? Curve { get; private init; }

    /// <summary>A coordinate of an EC key; <see langword="null"/> for others.</summary>
    public string? X { get; private init; }

    /// <summary>The other coordinate of an EC key; <see langword="null"/> for others.</summary>
    public string? Y { get; private init; }

    /// <summary>The members of the key as JSON; those without a value are absent.</summary>
    public IEnumerable<(string Name, string? Value)> Members =>
        [
            ("kty", Curve is null ? "RSA" : "EC"),
            ("use", "sig"),
            ("alg", Algorithm),
            ("kid", Id),
            ("n", Modulus),
            ("e", Exponent),
            ("crv", Curve),
            ("x", X),
            ("y", Y),
        ];

    public static PublicKey Of(SigningCredentials credentials)
    {
        var key = new PublicKey(credentials.Key.KeyId, credentials.Algorithm);
        if (credentials.Key is RsaSecurityKey { Rsa: { } rsa })
        {
            var parts = rsa.ExportParameters(includePrivateParameters: false);
            return key with { Modulus = Base64UrlEncoder.Encode(parts.Modulus), Exponent = Base64UrlEncoder.Encode(parts.Exponent) };
        }

        var ec = ((ECDsaSecurityKey)credentials.Key).ECDsa;
        var point = ec.ExportParameters(includePrivateParameters: false).Q;
        return key with { Curve = $"P-{ec.KeySize}", X = Base64UrlEncoder.Encode(point.X), Y = Base64UrlEncoder.Encode(point.Y) };
    }
}
