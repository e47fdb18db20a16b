using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;

namespace Lintel.Identities;

/// <summary>The hash of a password that a person has chosen: PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2).</summary>
/// <remarks>Its text is <c>pbkdf2-sha256:ITERATIONS:SALT:HASH</c>, salt and hash in base64url without padding.</remarks>
internal sealed class PasswordHash
{
    /// <summary>OWASP's Password Storage Cheat Sheet for PBKDF2-HMAC-SHA256; about 0.1 s of a core.</summary>
    public const int UsualIterations = 600_000;

    /// <summary>A hundred times the 1000 that NIST SP 800-132 section 5.2 had as the minimum in 2010.</summary>
    public const int LeastIterations = 100_000;

    /// <summary>A second or two of a core: a longer check delays its own user most.</summary>
    public const int MostIterations = 10_000_000;

    /// <summary>NIST SP 800-132 section 5.1: at least 128 bits.</summary>
    private const int SaltSize = 16;

    private const string Prefix = "pbkdf2-sha256";

    private readonly byte[] _salt;
    private readonly byte[] _hash;

    private PasswordHash(int iterations, byte[] salt, byte[] hash) => (Iterations, _salt, _hash) = (iterations, salt, hash);

    public int Iterations { get; }

    /// <summary>Hashes a password with a new salt.</summary>
    public static PasswordHash Create(ReadOnlySpan<byte> password, int iterations = UsualIterations)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltSize);
        return new PasswordHash(iterations, salt, Derive(password, salt, iterations));
    }

    /// <summary>A hash of no known password that takes as long to check: an unknown user is not told by the time of the answer.</summary>
    public static PasswordHash OfNothing(int iterations) =>
        new(iterations, RandomNumberGenerator.GetBytes(SaltSize), RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes));

    public static bool TryParse(string text, [NotNullWhen(true)] out PasswordHash? value)
    {
        value = null;
        if (
            text.Split(':') is not [Prefix, var count, var salt, var hash]
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations)
            || iterations is < LeastIterations or > MostIterations
            || Decode(salt) is not { Length: >= SaltSize and <= 64 } saltBytes
            || Decode(hash) is not { Length: SHA256.HashSizeInBytes } hashBytes
        )
            return false;
        value = new PasswordHash(iterations, saltBytes, hashBytes);
        return true;
    }

    /// <summary>Whether it is the password. Takes the same time for every one.</summary>
    public bool Matches(ReadOnlySpan<byte> password) => CryptographicOperations.FixedTimeEquals(Derive(password, _salt, Iterations), _hash);

    /// <summary>The hash as it is configured. Who has it can try passwords.</summary>
    public string ToConfig() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Prefix}:{Iterations}:{Base64Url.EncodeToString(_salt)}:{Base64Url.EncodeToString(_hash)}"
        );

    private static byte[] Derive(ReadOnlySpan<byte> password, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);

    private static byte[]? Decode(string text)
    {
        var bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        return !text.Contains('=') && Base64Url.DecodeFromChars(text, bytes, out _, out var length) == System.Buffers.OperationStatus.Done
            ? bytes[..length]
            : null;
    }
}
