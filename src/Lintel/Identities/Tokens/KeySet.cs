using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Lintel.Identities.Tokens;

/// <summary>The public keys of one issuer. Immutable.</summary>
internal sealed class KeySet
{
    /// <summary>How many keys are tried for a token that does not name its key.</summary>
    private const int MaxTried = 4;

    private readonly VerificationKey[] _keys;

    private KeySet(IReadOnlyList<VerificationKey> keys, IReadOnlyList<string> passedOver)
    {
        _keys = [.. keys];
        PassedOver = passedOver;
        Fingerprint = string.Join(' ', _keys.Select(k => $"{k.Thumbprint} {k.Id} {k.Algorithm}"));
    }

    /// <summary>The number of keys.</summary>
    public int Count => _keys.Length;

    /// <summary>The keys of the document that cannot be used, and why.</summary>
    public IReadOnlyList<string> PassedOver { get; }

    /// <summary>Equal for sets of the same keys.</summary>
    public string Fingerprint { get; }

    /// <summary>Reads a JWK set (RFC 7517 section 5). Keys for other purposes are passed over.</summary>
    /// <exception cref="FormatException">It is not a JWK set, or has no key that can be used.</exception>
    public static KeySet Parse(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("keys", out var all) || all.ValueKind != JsonValueKind.Array)
            throw new FormatException("it is not a JWK set: `keys` is missing");
        var keys = new List<VerificationKey>();
        var passedOver = new List<string>();
        foreach (var jwk in all.EnumerateArray())
        {
            try
            {
                keys.Add(VerificationKey.Of(jwk));
            }
            catch (FormatException e)
            {
                passedOver.Add($"key {passedOver.Count + keys.Count + 1}: {e.Message}");
            }
        }

        if (keys.Count == 0)
            throw new FormatException(
                $"it has no key that verifies signatures{(passedOver.Count == 0 ? "" : $" ({string.Join("; ", passedOver)})")}"
            );
        return new KeySet(keys, passedOver);
    }

    /// <summary>Reads a file: a JWK set, or public keys and certificates in PEM.</summary>
    /// <exception cref="FormatException">It holds no key that can be used.</exception>
    public static KeySet Load(string file)
    {
        var bytes = File.ReadAllBytes(file);
        try
        {
            if (bytes.AsSpan().TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
                return OfPem(Encoding.UTF8.GetString(bytes));
            return StrictJson.TryParse(bytes, out var json)
                ? Parse(json)
                : throw new FormatException("it is not JSON, or has a member twice");
        }
        catch (Exception e) when (e is FormatException or CryptographicException or ArgumentException)
        {
            throw new FormatException($"the keys in {file} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>
    /// Finds the keys that a token may be signed with: those that it names, otherwise those without a name, at most a few.
    /// </summary>
    /// <remarks>
    /// A key without <c>kid</c> says nothing of tokens that have one. A token without <c>kid</c> may be of any key that fits.
    /// </remarks>
    /// <param name="id">The token's <c>kid</c>.</param>
    /// <param name="algorithm">Its algorithm.</param>
    /// <returns>The keys; whether one of them has the name.</returns>
    public (IEnumerable<VerificationKey> Keys, bool IsNamed) Find(string? id, SignatureAlgorithm algorithm)
    {
        if (id is not null && Array.Exists(_keys, k => k.Id == id))
            return (_keys.Where(k => k.Id == id && k.Fits(algorithm)).Take(MaxTried), true);
        return (_keys.Where(k => (id is null || k.Id is null) && k.Fits(algorithm)).Take(MaxTried), false);
    }

    private static KeySet OfPem(string text)
    {
        var keys = new List<VerificationKey>();
        for (ReadOnlySpan<char> rest = text; PemEncoding.TryFind(rest, out var fields); rest = rest[fields.Location.End.Value..])
        {
            var label = rest[fields.Label];
            var block = rest[fields.Location];
            if (label.Contains("PRIVATE KEY", StringComparison.Ordinal))
                throw new FormatException("it contains a private key; write only the public one (`openssl pkey -pubout`)");
            keys.Add(OfBlock(label, block));
        }

        return keys.Count > 0 ? new KeySet(keys, []) : throw new FormatException("it contains neither a JWK set nor a public key in PEM");
    }

    private static VerificationKey OfBlock(ReadOnlySpan<char> label, ReadOnlySpan<char> block)
    {
        if (label.SequenceEqual("CERTIFICATE"))
        {
            using var certificate = X509Certificate2.CreateFromPem(block);
            using AsymmetricAlgorithm? held = certificate.GetRSAPublicKey() is { } rsaKey ? rsaKey : certificate.GetECDsaPublicKey();
            return VerificationKey.Of(held ?? throw new FormatException("a certificate has neither an RSA nor an EC key"));
        }

        using AsymmetricAlgorithm key = IsElliptic(block) ? ECDsa.Create() : RSA.Create();
        key.ImportFromPem(block);
        return VerificationKey.Of(key);
    }

    private static bool IsElliptic(ReadOnlySpan<char> block)
    {
        using var ec = ECDsa.Create();
        try
        {
            ec.ImportFromPem(block);
            return true;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return false;
        }
    }
}
