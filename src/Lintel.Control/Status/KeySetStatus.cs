using System.Text.Json.Serialization;
using Lintel.Identities.Providers;

namespace Lintel.Control.Status;

/// <summary>A JSON Web Key Set (RFC 7517 section 5): the public keys of the tokens that services receive.</summary>
/// <param name="Keys">The keys.</param>
internal sealed record KeySetStatus(IReadOnlyList<KeyStatus> Keys)
{
    internal static KeySetStatus Of(IEnumerable<PublicKey> keys) => new([.. keys.Select(KeyStatus.Of)]);
}

/// <summary>A JSON Web Key.</summary>
internal sealed record KeyStatus
{
    /// <summary>The type of the key: <c>RSA</c> or <c>EC</c>.</summary>
    public required string Kty { get; init; }

    /// <summary>The use of the key: <c>sig</c>.</summary>
    public string Use { get; } = "sig";

    /// <summary>The algorithm that the key signs with.</summary>
    public required string Alg { get; init; }

    /// <summary>The identifier of the key: its thumbprint (RFC 7638).</summary>
    public required string Kid { get; init; }

    /// <summary>The modulus; absent for EC keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? N { get; init; }

    /// <summary>The exponent; absent for EC keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? E { get; init; }

    /// <summary>The curve; absent for RSA keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Crv { get; init; }

    /// <summary>The x coordinate; absent for RSA keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? X { get; init; }

    /// <summary>The y coordinate; absent for RSA keys.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Y { get; init; }

    internal static KeyStatus Of(PublicKey key) =>
        new()
        {
            Kty = key.Curve is null ? "RSA" : "EC",
            Alg = key.Algorithm,
            Kid = key.Id,
            N = key.Modulus,
            E = key.Exponent,
            Crv = key.Curve,
            X = key.X,
            Y = key.Y,
        };
}
