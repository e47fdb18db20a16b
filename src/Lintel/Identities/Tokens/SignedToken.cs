using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace Lintel.Identities.Tokens;

/// <summary>
/// A signed JWT that is well-formed: a JWS in compact serialization (RFC 7515 section 7.1) whose payload is a JSON object. Nothing of it is
/// verified yet.
/// </summary>
internal sealed class SignedToken
{
    /// <summary>
    /// The longest token that is decoded: a listener's heads have 32 KiB by default, and tokens of several KiB are rare.
    /// </summary>
    public const int MaxLength = 16 * 1024;

    private readonly byte[] _signed;
    private readonly byte[] _signature;

    private SignedToken(string text, int end, JsonElement header, JsonElement payload, byte[] signature)
    {
        _signed = Encoding.ASCII.GetBytes(text, 0, end);
        (Header, Payload, _signature) = (header, payload, signature);
    }

    /// <summary>The protected header.</summary>
    public JsonElement Header { get; }

    /// <summary>The claims.</summary>
    public JsonElement Payload { get; }

    /// <summary>The algorithm that the header names.</summary>
    public required string Algorithm { get; init; }

    /// <summary>The <c>kid</c>; <see langword="null"/> for none.</summary>
    public string? KeyId { get; private init; }

    /// <summary>The <c>typ</c> without <c>application/</c>, in lower case; <see langword="null"/> for none.</summary>
    public string? Type { get; private init; }

    /// <summary>Parses a token.</summary>
    /// <param name="text">The token.</param>
    /// <param name="token">The parsed token.</param>
    /// <param name="problem">Why it is refused, for the log: nothing of the token.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out SignedToken? token, [NotNullWhen(false)] out string? problem)
    {
        token = null;
        if (text.Length > MaxLength)
            return Fail("it is longer than 16 KiB", out problem);
        var first = text.IndexOf('.', StringComparison.Ordinal);
        var last = text.LastIndexOf('.');
        if (first < 0 || first == last)
            return Fail("it is not a JWT: it has no three parts", out problem);
        if (text.AsSpan(first + 1, last - first - 1).Contains('.'))
            return Fail("it has more than three parts: encrypted tokens are not supported", out problem);
        if (!TryPart(text.AsSpan(0, first), out var header) || header.ValueKind != JsonValueKind.Object)
            return Fail("its header is not a JSON object in base64url", out problem);
        if (!TryPart(text.AsSpan(first + 1, last - first - 1), out var payload) || payload.ValueKind != JsonValueKind.Object)
            return Fail("its payload is not a JSON object in base64url", out problem);
        if (!Base64.TryDecode(text.AsSpan(last + 1), out var signature) || signature.Length == 0)
            return Fail("its signature is missing, or not base64url", out problem);
        if (!StrictJson.TryText(header, "alg", out var algorithm))
            return Fail("its header has no `alg`", out problem);
        if (header.TryGetProperty("crit", out _)) // RFC 7515 section 4.1.11: no extension is understood, `b64` neither
            return Fail("its header demands extensions (`crit`)", out problem);
        if (!TryOptional(header, "kid", out var id) || !TryOptional(header, "typ", out var type))
            return Fail("`kid` or `typ` in its header is not text", out problem);
        token = new SignedToken(text, last, header, payload, signature)
        {
            Algorithm = algorithm,
            KeyId = id,
            Type = TypeOf(type),
        };
        problem = null;
        return true;
    }

    /// <summary>Verifies the signature with a key that fits the algorithm.</summary>
    public bool IsSignedBy(VerificationKey key, SignatureAlgorithm algorithm) => key.Verify(algorithm, _signed, _signature);

    /// <summary>Normalizes a media type as in <c>typ</c>: RFC 7515 section 4.1.9.</summary>
    public static string? TypeOf(string? type)
    {
        const string Application = "application/";
        var lower = type?.ToLowerInvariant();
        return
            lower is not null && lower.StartsWith(Application, StringComparison.Ordinal) && lower.LastIndexOf('/') == Application.Length - 1
            ? lower[Application.Length..]
            : lower;
    }

    private static bool TryPart(ReadOnlySpan<char> part, out JsonElement json)
    {
        json = default;
        return Base64.TryDecode(part, out var bytes) && StrictJson.TryParse(bytes, out json);
    }

    private static bool TryOptional(JsonElement header, string name, out string? text)
    {
        text = null;
        return !header.TryGetProperty(name, out _) || StrictJson.TryText(header, name, out text);
    }

    private static bool Fail(string reason, out string problem)
    {
        problem = reason;
        return false;
    }
}
