using Lintel.Config;
using Microsoft.Net.Http.Headers;

namespace Lintel.Policies.Validate;

/// <summary>A media type that is accepted: <c>application/json</c>, <c>image/*</c>, or all types of JSON.</summary>
internal static class MediaRange
{
    /// <summary>All types of JSON (RFC 6839 section 3.1).</summary>
    public const string AnyJson = "+json";

    /// <summary>Whether a text is a media type without parameters, or all subtypes of a type.</summary>
    public static bool IsValid(string text) =>
        text.Split('/') is [var type, var subtype]
        && HeaderGrammar.IsToken(type)
        && type != "*"
        && (subtype == "*" || (HeaderGrammar.IsToken(subtype) && !subtype.Contains('*')));

    /// <summary>Whether it is a type of JSON.</summary>
    public static bool IsJson(string type) =>
        type.Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith(AnyJson, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether content of a type is accepted.</summary>
    /// <param name="range">The type that is accepted.</param>
    /// <param name="type">The type, without parameters.</param>
    public static bool Takes(string range, string type) =>
        range == AnyJson ? IsJson(type)
        : range.EndsWith("/*", StringComparison.Ordinal)
            ? type.StartsWith(range.AsSpan(0, range.Length - 1), StringComparison.OrdinalIgnoreCase)
        : type.Equals(range, StringComparison.OrdinalIgnoreCase);

    /// <summary>The media type of a request; <see langword="null"/> if there is none, more than one, or one that is not valid.</summary>
    /// <param name="values">The lines of <c>Content-Type</c>.</param>
    public static MediaTypeHeaderValue? Of(Microsoft.Extensions.Primitives.StringValues values) =>
        values is [{ } one] && MediaTypeHeaderValue.TryParse(one, out var type) && type.MediaType is { HasValue: true } ? type : null;
}
