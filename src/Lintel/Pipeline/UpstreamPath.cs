using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Lintel.Config.Grammars;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>
/// A path with placeholders. Inserted values cannot leave their segment: they are escaped, and a segment that would be empty, <c>.</c> or
/// <c>..</c> is refused.
/// </summary>
internal sealed class UpstreamPath
{
    private readonly Template.Piece[][] _segments;
    private readonly PathTraits _allowed;
    private readonly string? _constant;
    private readonly bool _endsWithSlash;

    private UpstreamPath(Template.Piece[][] segments, bool endsWithSlash, PathTraits allowed)
    {
        _segments = segments;
        _allowed = allowed;
        _endsWithSlash = endsWithSlash;
        if (segments.All(s => s.All(p => p.Literal is not null)))
            _constant =
                string.Concat(segments.Select(s => "/" + string.Concat(s.Select(p => p.Literal))))
                + (endsWithSlash || segments.Length == 0 ? "/" : "");
    }

    /// <summary>Compiles a path; on failure returns the problem and a hint.</summary>
    public static UpstreamPath? Parse(string text, RouteParameters parameters, PathTraits allowed, out string? problem, out string? hint)
    {
        hint = null;
        if (!text.StartsWith('/') || text.AsSpan().ContainsAny('#', '\\'))
        {
            (problem, hint) =
                !text.StartsWith('/') ? ($"`{text}` is not a path", "begin it with `/`")
                : text.Contains('#')
                    ? ($"`{text}` contains a fragment, which is never sent to a service", "remove it; write `%23` for a literal `#`")
                : ($"`{text}` contains a backslash, which services interpret differently", "write `/`");
            return null;
        }

        var segments = new List<Template.Piece[]>();
        var parts = SplitOutsideBraces(text);
        var endsWithSlash = parts[^1].Length == 0;
        foreach (var part in endsWithSlash ? parts[..^1] : parts)
        {
            if (Template.Parse(part, parameters, out problem, out hint) is not { } template)
                return null;
            if (Check(text, template, out problem, out hint))
                return null;
            segments.Add([
                .. template.Pieces.Select(p => p.Literal is null ? p : p with { Literal = RequestTarget.NormalizeLiteral(p.Literal) }),
            ]);
        }

        problem = null;
        return new UpstreamPath([.. segments], endsWithSlash, allowed);
    }

    /// <summary>The placeholders in the path.</summary>
    public IEnumerable<Placeholder> Placeholders => _segments.SelectMany(s => s).Where(p => p.Literal is null).Select(p => p.Placeholder);

    /// <summary>
    /// Whether another path may render to the same text: not if both have a fixed segment at the same position and these differ.
    /// </summary>
    public bool MayEqual(UpstreamPath other)
    {
        if (_constant is not null && other._constant is not null)
            return _constant == other._constant;
        foreach (var (mine, its) in _segments.Zip(other._segments))
        {
            if (IsRest(mine) || IsRest(its))
                return true;
            if (mine is [{ Literal: { } fixedHere }] && its is [{ Literal: { } fixedThere }] && fixedHere != fixedThere)
                return false;
        }

        return _segments.Length == other._segments.Length || _segments.Concat(other._segments).Any(IsRest);
    }

    private static bool IsRest(Template.Piece[] segment) => segment is [{ Literal: null, Placeholder.IsCatchAll: true }];

    /// <summary>Renders the path for a request.</summary>
    /// <param name="exchange">The request that provides the values.</param>
    /// <param name="path">The path, escaped.</param>
    /// <param name="problem">Why it cannot be rendered, in words fit for the client.</param>
    public bool TryRender(Exchange exchange, out string path, [NotNullWhen(false)] out string? problem) =>
        TryRender(exchange, null, out path, out problem);

    /// <summary>Renders the path for a request, with referenced values.</summary>
    public bool TryRender(Exchange exchange, ReferencedValues? references, out string path, [NotNullWhen(false)] out string? problem)
    {
        problem = null;
        path = _constant!;
        if (_constant is not null)
            return true;

        // On the stack: rendering allocates the resulting text only.
        var text = new DefaultInterpolatedStringHandler(0, 0, null, stackalloc char[256]);
        if (TryAppend(ref text, exchange, references, out problem))
            path = text.Text.ToString();
        text.Clear();
        return problem is null;
    }

    private bool TryAppend(
        ref DefaultInterpolatedStringHandler text,
        Exchange exchange,
        ReferencedValues? references,
        [NotNullWhen(false)] out string? problem
    )
    {
        problem = null;
        var endsWithSlash = _endsWithSlash;
        foreach (var segment in _segments)
        {
            if (segment is [{ Literal: null, Placeholder: { IsCatchAll: true } whole }])
            {
                // The rest of a normalized path has no dot segments; an empty rest is no segment at all.
                var rest = exchange.Parameter(whole.Slot) ?? "";
                if (rest.Length == 0)
                {
                    endsWithSlash |= exchange.RequestTarget.Path.EndsWith('/');
                    continue;
                }

                text.AppendLiteral("/");
                text.AppendLiteral(rest);
                continue;
            }

            text.AppendLiteral("/");
            var start = text.Text.Length;
            foreach (var piece in segment)
            {
                if (!TryAppend(ref text, piece, exchange, references, out problem))
                    return false;
            }

            if (segment is [{ Literal: not null }])
                continue; // checked when the path was compiled
            if (text.Text.Length == start || IsDotSegment(text.Text[start..]))
            {
                problem = $"the value of {Describe(segment)} cannot be a path segment";
                return false;
            }
        }

        if (text.Text.Length == 0 || (endsWithSlash && text.Text[^1] != '/'))
            text.AppendLiteral("/");
        return true;
    }

    private bool TryAppend(
        ref DefaultInterpolatedStringHandler result,
        Template.Piece piece,
        Exchange exchange,
        ReferencedValues? references,
        [NotNullWhen(false)] out string? problem
    )
    {
        problem = null;
        if (piece.Literal is { } literal)
        {
            result.AppendLiteral(literal);
            return true;
        }

        var placeholder = piece.Placeholder;
        if (placeholder.Source == PlaceholderSource.Parameter)
        {
            result.AppendFormatted(exchange.Parameter(placeholder.Slot)); // normalized and escaped already
            return true;
        }

        var text = (placeholder.Source == PlaceholderSource.Reference ? references!.Text(placeholder.Slot) : placeholder.Text(exchange))
            ?? "";
        var isUnsafe =
            (text.AsSpan().ContainsAny('/', '\\') && !_allowed.HasFlag(PathTraits.EncodedSlash))
            || (text.Contains(';') && !_allowed.HasFlag(PathTraits.Semicolon))
            || text.AsSpan().ContainsAnyInRange('\0', '\x1f')
            || text.Contains('\x7f');
        if (isUnsafe)
        {
            problem = $"the value of {{{Describe(placeholder)}}} is not allowed in a path";
            return false;
        }

        result.AppendLiteral(placeholder.IsOfBytes ? FieldText.Escape(text) : Uri.EscapeDataString(text));
        return true;
    }

    /// <summary>Checks the segment as a whole: adjacent pieces can form together what none of them is alone.</summary>
    private static bool IsDotSegment(ReadOnlySpan<char> segment) => segment is "." or ".." || RequestTarget.HidesDots(segment);

    private static bool Check(string text, Template template, out string? problem, out string? hint)
    {
        problem = hint = null;
        var literal = string.Concat(template.Pieces.Select(p => p.Literal));
        if (template.IsConstant && (literal.Length == 0 || IsDotSegment(RequestTarget.NormalizeLiteral(literal))))
            problem = $"`{text}` contains an empty or dot segment";
        else if (literal.Contains('?'))
            (problem, hint) = ($"`{text}` contains a query", "set query parameters with `transform.request.setQuery`");
        else if (template.Pieces.Count > 1 && template.Pieces.Any(p => p.Literal is null && p.Placeholder.IsCatchAll))
            (problem, hint) = ($"a catch-all shares a segment of `{text}` with other text", "put it in a separate segment: `/{rest}`");
        return problem is not null;
    }

    /// <summary>Splits at slashes, except inside braces, such as in a header's name.</summary>
    private static List<string> SplitOutsideBraces(string text)
    {
        var parts = new List<string>();
        var depth = 0;
        var start = 1;
        for (var i = 1; i <= text.Length; i++)
        {
            if (i == text.Length || (text[i] == '/' && depth == 0))
            {
                parts.Add(text[start..i]);
                start = i + 1;
                continue;
            }

            depth +=
                text[i] == '{' ? 1
                : text[i] == '}' && depth > 0 ? -1
                : 0;
        }

        return parts;
    }

    private static string Describe(Template.Piece[] segment) =>
        string.Join(", ", segment.Where(p => p.Literal is null).Select(p => "{" + Describe(p.Placeholder) + "}"));

    private static string Describe(Placeholder placeholder) =>
        placeholder.Source switch
        {
            PlaceholderSource.Parameter or PlaceholderSource.Reference => placeholder.Name,
            PlaceholderSource.ClientIp => "clientIp",
            PlaceholderSource.Host => "host",
            var source => source.ToString().ToLowerInvariant() + ":" + placeholder.Name,
        };
}
