using System.Security.Cryptography;

namespace Lintel.Identities.Tokens;

/// <summary>
/// An algorithm of RFC 7518 section 3.1 that verifies with a public key. There is none without a key, and none with a secret one: a key
/// that is published could sign with it.
/// </summary>
internal sealed record SignatureAlgorithm(string Name, HashAlgorithmName Hash, RSASignaturePadding? Padding, string? Curve)
{
    private static readonly HashAlgorithmName[] Hashes = [HashAlgorithmName.SHA256, HashAlgorithmName.SHA384, HashAlgorithmName.SHA512];

    /// <summary>All of them, the shortest signatures first.</summary>
    public static IReadOnlyList<SignatureAlgorithm> All { get; } =
    [
        new("ES256", Hashes[0], null, "P-256"),
        new("ES384", Hashes[1], null, "P-384"),
        new("ES512", Hashes[2], null, "P-521"),
        new("PS256", Hashes[0], RSASignaturePadding.Pss, null),
        new("PS384", Hashes[1], RSASignaturePadding.Pss, null),
        new("PS512", Hashes[2], RSASignaturePadding.Pss, null),
        new("RS256", Hashes[0], RSASignaturePadding.Pkcs1, null),
        new("RS384", Hashes[1], RSASignaturePadding.Pkcs1, null),
        new("RS512", Hashes[2], RSASignaturePadding.Pkcs1, null),
    ];

    /// <summary>Finds an algorithm by its name, which is case-sensitive; <see langword="null"/> if there is none.</summary>
    public static SignatureAlgorithm? Find(string name)
    {
        foreach (var algorithm in All)
        {
            if (algorithm.Name == name)
                return algorithm;
        }

        return null;
    }
}
