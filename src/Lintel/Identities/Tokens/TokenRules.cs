using System.Text.Json;

namespace Lintel.Identities.Tokens;

/// <summary>What the tokens of one issuer must be like, beside their signature.</summary>
/// <param name="Issuer">The value of <c>iss</c>, to the character.</param>
internal sealed record TokenRules(string Issuer)
{
    private static readonly string?[] DefaultTypes = [null, "jwt", "at+jwt"];

    /// <summary>Accepted values of <c>aud</c>, one of which a token must have; <see langword="null"/> for any, and for none.</summary>
    public IReadOnlyList<string>? Audiences { get; init; }

    /// <summary>The accepted algorithms.</summary>
    public IReadOnlyList<string> Algorithms { get; init; } = [.. SignatureAlgorithm.All.Select(a => a.Name)];

    /// <summary>How far the clocks of gateway and provider may differ.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Accepted values of <c>typ</c>, as <see cref="SignedToken.TypeOf"/> normalizes them; <see langword="null"/> is a token without one.
    /// </summary>
    public IReadOnlyList<string?> Types { get; init; } = DefaultTypes;

    /// <summary>Checks the claims of a token whose signature is verified.</summary>
    /// <param name="claims">The claims.</param>
    /// <param name="now">The current time.</param>
    /// <param name="expires">The token's <c>exp</c>.</param>
    /// <returns>Why it is refused; <see langword="null"/> accepts it.</returns>
    public TokenProblem? Check(JsonElement claims, DateTimeOffset now, out DateTimeOffset expires)
    {
        expires = default;
        if (!TryTime(claims, "exp", out var exp) || !TryTime(claims, "nbf", out var notBefore) || !TryTime(claims, "iat", out var issued))
            return new TokenProblem("`exp`, `nbf` or `iat` is not a time");
        if (exp is null)
            return new TokenProblem("it has no `exp`") { Description = "the token has no expiry" };
        expires = exp.Value;
        if (now >= expires + ClockSkew)
            return new TokenProblem($"it expired at {expires:O}") { Description = "the token has expired" };
        if (now < notBefore - ClockSkew)
            return new TokenProblem($"it is valid from {notBefore:O}") { Description = "the token is not valid yet" };
        if (now < issued - ClockSkew)
            return new TokenProblem($"it was issued in the future, at {issued:O}") { Description = "the token is not valid yet" };
        return Audiences is null || HasAudience(claims, Audiences)
            ? null
            : new TokenProblem("its audience is another") { Description = "the token is for another audience" };
    }

    /// <summary>Whether a token is for one of these audiences.</summary>
    internal static bool HasAudience(JsonElement claims, IReadOnlyList<string> audiences)
    {
        if (!claims.TryGetProperty("aud", out var audience))
            return false;
        if (audience.ValueKind == JsonValueKind.String)
            return audiences.Contains(audience.GetString()!);
        return audience.ValueKind == JsonValueKind.Array
            && audience.EnumerateArray().All(a => a.ValueKind == JsonValueKind.String)
            && audience.EnumerateArray().Any(a => audiences.Contains(a.GetString()!));
    }

    /// <summary>Reads a NumericDate (RFC 7519 section 2): seconds, possibly with a fraction.</summary>
    /// <returns>False if there is something else; no time if the claim is absent.</returns>
    internal static bool TryTime(JsonElement claims, string name, out DateTimeOffset? time)
    {
        const double LastSecond = 253402300799 - 3600; // of the year 9999, with room for the skew
        time = null;
        if (!claims.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var seconds) || seconds is not (>= 3600 and <= LastSecond))
            return false;
        time = DateTimeOffset.UnixEpoch.AddSeconds(seconds);
        return true;
    }
}

/// <summary>Why a token is refused.</summary>
/// <param name="Detail">For the error log: nothing of the token that is a secret.</param>
internal sealed record TokenProblem(string Detail)
{
    /// <summary>For the client: helps the token's owner, and nobody who makes up a token.</summary>
    public string Description { get; init; } = "the token is not valid";

    /// <summary>Whether it could not be found out whether the token is valid, and why.</summary>
    public Exception? Unavailable { get; init; }
}
