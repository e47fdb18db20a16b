using System.Buffers;
using Lintel.Identities;

namespace Lintel.Pipeline;

/// <summary>
/// The token of a request: in <c>Authorization</c> (RFC 6750 section 2.1, RFC 9449 section 7.1), or in a header of its own.
/// </summary>
/// <param name="Text">The token; <see langword="null"/> if the request has none, or several.</param>
/// <param name="IsDpop">Whether it came with the scheme <c>DPoP</c>.</param>
/// <param name="Problem">Why the request is refused: a sentence for the client; <see langword="null"/> for none.</param>
internal readonly record struct BearerToken(string? Text, bool IsDpop, string? Problem)
{
    /// <summary>The header that carries tokens by default.</summary>
    public const string Authorization = "Authorization";

    private const string Bearer = "Bearer";
    private const string Dpop = "DPoP";

    /// <summary>RFC 9110 section 11.2: token68.</summary>
    private static readonly SearchValues<char> TokenChars = SearchValues.Create(
        "-._~+/=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>Reads the token of a request. Tokens in the query or in a form are not read: URLs end up in logs.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="header">The header; one other than <c>Authorization</c> has the token alone, without a scheme.</param>
    public static BearerToken Read(Exchange exchange, string header)
    {
        if (!exchange.Request.Headers.TryGetValue(header, out var values) || values.Count == 0)
            return default;
        if (values is not [{ } value]) // which of several counts is a matter of opinion
            return new BearerToken(null, false, $"more than one {header} header was sent");
        if (!ReferenceEquals(header, Authorization))
            return Check(value.AsSpan().Trim(' '), value, isDpop: false);
        var space = value.IndexOf(' ', StringComparison.Ordinal);
        var scheme = space < 0 ? value : value.AsSpan(0, space);
        var isDpop = scheme.Equals(Dpop, StringComparison.OrdinalIgnoreCase);
        if (!isDpop && !scheme.Equals(Bearer, StringComparison.OrdinalIgnoreCase))
            return default;
        return Check(value.AsSpan(scheme.Length).Trim(' '), value, isDpop);
    }

    /// <summary>Where the token was, for what is sent to services.</summary>
    public Credential Credential(string header) => new(CredentialPlace.Header, header, Text);

    /// <summary>Does not disclose the token.</summary>
    public override string ToString() =>
        Text is null ? $"none, {Problem}"
        : IsDpop ? Dpop
        : Bearer;

    private static BearerToken Check(ReadOnlySpan<char> token, string whole, bool isDpop)
    {
        if (token.IsEmpty || token.ContainsAnyExcept(TokenChars))
            return new BearerToken(null, isDpop, "the header has no token, or more than a token");
        return new BearerToken(token.Length == whole.Length ? whole : token.ToString(), isDpop, null);
    }
}
