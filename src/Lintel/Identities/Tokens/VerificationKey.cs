using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Lintel.Identities.Tokens;

/// <summary>A public key that verifies signatures of tokens.</summary>
/// <remarks>Thread rule: any number of callers; each uses an object of the platform alone, of which idle ones are kept.</remarks>
internal sealed class VerificationKey
{
    /// <summary>RFC 7518 section 3.3; beyond the greatest, one signature costs as much as a thousand others.</summary>
    private const int LeastRsaBits = 2048;

    private const int GreatestRsaBits = 8192;

    /// <summary>The length of a public exponent: 65537 has three bytes, and a longer one only makes verification slow.</summary>
    private const int LongestExponent = 4;

    private static readonly string[] PrivateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    private readonly ConcurrentBag<AsymmetricAlgorithm> _idle = [];
    private readonly RSAParameters _rsa;
    private readonly ECParameters _ec;
    private readonly string? _curve;

    private VerificationKey(RSAParameters key)
    {
        _rsa = key;
        Thumbprint = Hash($$"""{"e":"{{Base64.Encode(key.Exponent!)}}","kty":"RSA","n":"{{Base64.Encode(key.Modulus!)}}"}""");
        _idle.Add(Create());
    }

    private VerificationKey(ECParameters key, string curve)
    {
        (_ec, _curve) = (key, curve);
        var (x, y) = (Base64.Encode(key.Q.X!), Base64.Encode(key.Q.Y!));
        Thumbprint = Hash($$"""{"crv":"{{curve}}","kty":"EC","x":"{{x}}","y":"{{y}}"}""");
        _idle.Add(Create());
    }

    /// <summary>The <c>kid</c>; <see langword="null"/> for none.</summary>
    public string? Id { get; private init; }

    /// <summary>The only algorithm that it is for; <see langword="null"/> for those of its type.</summary>
    public string? Algorithm { get; private init; }

    /// <summary>RFC 7638, with SHA-256, in base64url.</summary>
    public string Thumbprint { get; }

    /// <summary>Reads a JWK (RFC 7517).</summary>
    /// <exception cref="FormatException">It does not verify signatures of this gateway's algorithms; the message says why.</exception>
    public static VerificationKey Of(JsonElement jwk)
    {
        if (jwk.ValueKind != JsonValueKind.Object || !StrictJson.TryText(jwk, "kty", out var type))
            throw new FormatException("it is not a JWK");
        if (Array.Exists(PrivateMembers, m => jwk.TryGetProperty(m, out _)))
            throw new FormatException("it contains a secret or private key, which no longer proves anything");
        if (Member(jwk, "use") is { } use && use != "sig")
            throw new FormatException($"its use is `{use}`");
        if (jwk.TryGetProperty("key_ops", out var operations) && !ClaimSet.Texts(operations).Contains("verify"))
            throw new FormatException("it is not for verifying signatures (`key_ops`)");
        var algorithm = Member(jwk, "alg");
        if (algorithm is not null && SignatureAlgorithm.Find(algorithm) is null)
            throw new FormatException($"its algorithm is `{algorithm}`");
        var key = type switch
        {
            "RSA" => new RSAParameters { Modulus = Number(jwk, "n"), Exponent = Number(jwk, "e") },
            "EC" => (object)EllipticOf(jwk),
            _ => throw new FormatException($"its type is `{type}`"),
        };
        return key is RSAParameters rsa
            ? OfRsa(rsa, Member(jwk, "kid"), algorithm)
            : OfEc((ECParameters)key, Member(jwk, "kid"), algorithm);
    }

    /// <summary>Takes the public part of a key of the platform.</summary>
    /// <exception cref="FormatException">It is too short, or its curve is not one of RFC 7518.</exception>
    public static VerificationKey Of(AsymmetricAlgorithm key) =>
        key switch
        {
            RSA rsa => OfRsa(rsa.ExportParameters(false), null, null),
            ECDsa ec => OfEc(ec.ExportParameters(false), null, null),
            _ => throw new FormatException("it is neither an RSA nor an EC key"),
        };

    /// <summary>Whether the key may be used with an algorithm: its type, its curve, and what it is bound to.</summary>
    public bool Fits(SignatureAlgorithm algorithm) => _curve == algorithm.Curve && (Algorithm is null || Algorithm == algorithm.Name);

    /// <summary>Verifies a signature. The key must fit the algorithm.</summary>
    public bool Verify(SignatureAlgorithm algorithm, ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature)
    {
        if (!_idle.TryTake(out var key))
            key = Create();
        try
        {
            return key is RSA rsa
                ? rsa.VerifyData(signed, signature, algorithm.Hash, algorithm.Padding!)
                : ((ECDsa)key).VerifyData(signed, signature, algorithm.Hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            return false; // a signature that is not even a number of the key's range
        }
        finally
        {
            _idle.Add(key);
        }
    }

    private static VerificationKey OfRsa(RSAParameters key, string? id, string? algorithm)
    {
        if (RsaBits(key.Modulus!) is var bits and (< LeastRsaBits or > GreatestRsaBits))
            throw new FormatException($"it has {bits} bits: RSA keys have from {LeastRsaBits} to {GreatestRsaBits}");
        if (key.Exponent!.Length is 0 or > LongestExponent || (key.Exponent[^1] & 1) == 0 || key.Exponent is [1])
            throw new FormatException("its exponent is not one of an RSA key in use");
        return Create(() => new VerificationKey(key) { Id = id, Algorithm = algorithm }, null, algorithm);
    }

    private static VerificationKey OfEc(ECParameters key, string? id, string? algorithm)
    {
        var curve = key.Q.X!.Length switch
        {
            32 when key.Curve.IsNamed && key.Curve.Oid.Value == ECCurve.NamedCurves.nistP256.Oid.Value => "P-256",
            48 when key.Curve.IsNamed && key.Curve.Oid.Value == ECCurve.NamedCurves.nistP384.Oid.Value => "P-384",
            66 when key.Curve.IsNamed && key.Curve.Oid.Value == ECCurve.NamedCurves.nistP521.Oid.Value => "P-521",
            _ => throw new FormatException("its curve is not P-256, P-384 or P-521"),
        };
        return Create(() => new VerificationKey(key, curve) { Id = id, Algorithm = algorithm }, curve, algorithm);
    }

    private static VerificationKey Create(Func<VerificationKey> create, string? curve, string? algorithm)
    {
        if (algorithm is not null && SignatureAlgorithm.Find(algorithm)!.Curve != curve)
            throw new FormatException($"its type does not go with its algorithm `{algorithm}`");
        try
        {
            return create();
        }
        catch (CryptographicException e)
        {
            throw new FormatException("its numbers are not those of a key", e); // a point beside its curve
        }
    }

    private static ECParameters EllipticOf(JsonElement jwk)
    {
        var (curve, length) = Member(jwk, "crv") switch
        {
            "P-256" => (ECCurve.NamedCurves.nistP256, 32),
            "P-384" => (ECCurve.NamedCurves.nistP384, 48),
            "P-521" => (ECCurve.NamedCurves.nistP521, 66),
            var other => throw new FormatException($"its curve is `{other}`"),
        };
        var point = new ECPoint { X = Bytes(jwk, "x"), Y = Bytes(jwk, "y") };
        if (point.X.Length != length || point.Y.Length != length) // RFC 7518 section 6.2.1.2
            throw new FormatException("its coordinates do not have the length of its curve");
        return new ECParameters { Curve = curve, Q = point };
    }

    private static int RsaBits(ReadOnlySpan<byte> modulus) =>
        modulus.IsEmpty ? 0 : (modulus.Length * 8) - System.Numerics.BitOperations.LeadingZeroCount((uint)modulus[0]) + 24;

    /// <summary>A number without the zeros that some providers put before it.</summary>
    private static byte[] Number(JsonElement jwk, string name)
    {
        var bytes = Bytes(jwk, name);
        return bytes.AsSpan().TrimStart((byte)0).ToArray();
    }

    private static byte[] Bytes(JsonElement jwk, string name) =>
        Member(jwk, name) is { Length: <= GreatestRsaBits / 4 } text && Base64.TryDecode(text, out var bytes)
            ? bytes
            : throw new FormatException($"its `{name}` is missing or malformed");

    private static string? Member(JsonElement jwk, string name)
    {
        if (!jwk.TryGetProperty(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw new FormatException($"its `{name}` is not text");
    }

    private static string Hash(string json) => Base64.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(json)));

    private AsymmetricAlgorithm Create() => _curve is null ? RSA.Create(_rsa) : ECDsa.Create(_ec);
}
