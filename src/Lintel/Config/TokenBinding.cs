using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>What a token is bound to, so that a stolen one is of no use.</summary>
public enum TokenBinding
{
    /// <summary>A key of the client, of which it sends a proof with each request (RFC 9449).</summary>
    Dpop,

    /// <summary>The certificate of the client's TLS connection (RFC 8705 section 3).</summary>
    Certificate,
}

/// <summary>The grammars of what policies about tokens have in common.</summary>
internal static class TokenGrammar
{
    /// <summary>In a list of audiences: every audience, and none.</summary>
    public const string AnyAudience = "any";

    public const string AudienceHint =
        "list the audiences that the provider issues tokens for (`audiences: [shop]`), or write `audiences: any` to accept every token of "
        + "it";

    public static Grammar<TokenBinding> Binding { get; } =
        Scalars.Choice([("dpop", TokenBinding.Dpop), ("certificate", TokenBinding.Certificate)]);

    public static Grammar<TimeSpan> ClockSkew { get; } = Scalars.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(5));

    /// <summary>The problem of a list of audiences; <see langword="null"/> for none.</summary>
    public static (string Message, string Hint)? ProblemOf(ValueList<string> audiences) =>
        audiences.Count > 1 && audiences.Contains(AnyAudience)
            ? ("`any` accepts every audience, and is listed with others", "remove `any`, or the others")
            : null;

    /// <summary>The audiences that are accepted; <see langword="null"/> for any.</summary>
    public static IReadOnlyList<string>? Accepted(ValueList<string> audiences) => audiences is [AnyAudience] ? null : audiences;
}
