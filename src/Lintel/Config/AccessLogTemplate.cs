using System.Text;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>What a line may say of a request.</summary>
internal enum AccessLogField
{
    Time,
    Method,
    Host,
    Path,
    Query,
    Target,
    Protocol,
    Status,
    RequestBytes,
    ResponseBytes,
    DurationMs,
    UpstreamMs,
    GatewayMs,
    Attempts,
    Route,
    Service,
    Instance,
    Error,
    Detail,
    GrpcStatus,
    Client,
    Caller,
    UserAgent,
    TraceId,
    Header,
}

/// <summary>A part of a template.</summary>
/// <param name="Literal">Text that stands in every line; <see langword="null"/> for a placeholder.</param>
/// <param name="Field">What takes the placeholder's place.</param>
/// <param name="Header">The header's name for <see cref="AccessLogField.Header"/>.</param>
/// <param name="IsQuoted">Whether it stands between quotation marks, where spaces cannot be taken for the end of the value.</param>
internal sealed record AccessLogPiece(string? Literal, AccessLogField Field, string? Header, bool IsQuoted);

/// <summary>A template of access-log lines, taken apart.</summary>
internal sealed class AccessLogTemplate
{
    /// <summary>
    /// Placeholders by name: the names of the JSON format's keys, and <c>target</c>, path and query as they stand in a request line.
    /// </summary>
    private static readonly Dictionary<string, AccessLogField> Names = Enum.GetValues<AccessLogField>()
        .Where(f => f != AccessLogField.Header)
        .ToDictionary(f => char.ToLowerInvariant(f.ToString()[0]) + f.ToString()[1..], StringComparer.Ordinal);

    private AccessLogTemplate(IReadOnlyList<AccessLogPiece> pieces) => Pieces = pieces;

    public static string KnownNames => string.Join(", ", Names.Keys.Select(n => $"`{{{n}}}`")) + ", `{header:NAME}`";

    public IReadOnlyList<AccessLogPiece> Pieces { get; }

    /// <summary>Takes a text apart; otherwise says what is wrong and what would be right.</summary>
    public static AccessLogTemplate? Parse(string text, out string? problem, out string? hint)
    {
        hint = null;
        problem =
            text.Length == 0 ? "the template is empty"
            : text.AsSpan().IndexOfAnyInRange('\0', '\x1f') >= 0 && text.Any(c => c < ' ' && c != '\t')
                ? "the template contains a line break or control character: a request is logged on one line"
            : null;
        if (problem is not null)
            return null;

        var pieces = new List<AccessLogPiece>();
        var literal = new StringBuilder();
        var isQuoted = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c is '{' or '}' && i + 1 < text.Length && text[i + 1] == c)
            {
                literal.Append(text[i++]);
                continue;
            }

            if (c != '{')
            {
                if (c == '}')
                {
                    problem = "unmatched `}`";
                    hint = "write `}}` for a literal brace";
                    return null;
                }

                isQuoted ^= c == '"';
                literal.Append(c);
                continue;
            }

            var end = text.IndexOf('}', i);
            if (end < 0)
            {
                problem = "unclosed `{`";
                hint = "write `{{` for a literal brace";
                return null;
            }

            if (ParsePlaceholder(text[(i + 1)..end], isQuoted, out problem, out hint) is not { } placeholder)
                return null;
            AddLiteral(pieces, literal);
            pieces.Add(placeholder);
            i = end;
        }

        AddLiteral(pieces, literal);
        return new AccessLogTemplate(pieces);
    }

    private static void AddLiteral(List<AccessLogPiece> pieces, StringBuilder literal)
    {
        if (literal.Length > 0)
            pieces.Add(new AccessLogPiece(literal.ToString(), default, null, IsQuoted: false));
        literal.Clear();
    }

    private static AccessLogPiece? ParsePlaceholder(string name, bool isQuoted, out string? problem, out string? hint)
    {
        problem = hint = null;
        if (name.StartsWith("header:", StringComparison.Ordinal))
        {
            if (HeaderGrammar.IsToken(name.AsSpan("header:".Length)))
                return new AccessLogPiece(null, AccessLogField.Header, name["header:".Length..], isQuoted);
            problem = $"`{{{name}}}` does not name a header";
            hint = "write `{header:NAME}`";
            return null;
        }

        if (Names.TryGetValue(name, out var field))
            return new AccessLogPiece(null, field, null, isQuoted);
        problem = $"unknown placeholder `{{{name}}}`";
        hint = Suggestion.Nearest(name, Names.Keys) ?? "known placeholders: " + KnownNames;
        return null;
    }
}
