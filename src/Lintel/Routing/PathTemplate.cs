using Microsoft.AspNetCore.Routing.Patterns;

namespace Lintel.Routing;

/// <summary>A part of a template's segment.</summary>
/// <param name="Literal">Normalized text, or <see langword="null"/> for a parameter.</param>
/// <param name="Parameter">The parameter's name, or <see langword="null"/> for text.</param>
/// <param name="Constraints">The constraints on the parameter's value.</param>
internal readonly record struct SegmentPart(string? Literal, string? Parameter, PathConstraint[] Constraints)
{
    /// <summary>The case-folded text that is compared.</summary>
    public string? Folded { get; } = Literal is null ? null : PathFold.Fold(Literal);
}

/// <summary>One segment: a single literal, a single parameter, a catch-all, or a mixture such as <c>{name}.json</c>.</summary>
internal sealed record TemplateSegment(SegmentPart[] Parts, bool IsCatchAll)
{
    public bool IsLiteral => Parts.Length == 1 && Parts[0].Literal is not null;

    public bool IsParameter => Parts.Length == 1 && Parts[0].Literal is null;

    public bool IsConstrained => Parts.Any(p => p.Constraints.Length > 0);

    /// <summary>The segment as written, without its default and its question mark.</summary>
    public override string ToString() =>
        string.Concat(
            Parts.Select(p =>
                p.Literal ?? "{" + (IsCatchAll ? "**" : "") + p.Parameter + string.Concat(p.Constraints.Select(c => ":" + c.Text)) + "}"
            )
        );

    /// <summary>The identity of the segment: text and constraints, without the names of parameters.</summary>
    public string Shape { get; } =
        (IsCatchAll ? "**" : "")
        + string.Concat(
            Parts.Select(p =>
                (p.Literal is null ? null : PathFold.Fold(p.Literal).ToUpperInvariant())
                ?? "{" + string.Concat(p.Constraints.Select(c => ":" + c.Text)) + "}"
            )
        );
}

/// <summary>One variant of a template, without optional parts.</summary>
/// <param name="Segments">The segments from the root.</param>
/// <param name="Defaults">Values of the parameters that this variant omits: their default, or <see langword="null"/> if they are
/// optional.</param>
internal sealed record TemplateVariant(TemplateSegment[] Segments, IReadOnlyDictionary<string, string?> Defaults)
{
    /// <summary>Parameters in the order of a match's captures.</summary>
    public IEnumerable<string> Parameters =>
        Segments.SelectMany(s => s.Parts).Where(p => p.Parameter is not null).Select(p => p.Parameter!);
}

/// <summary>A parsed path template in ASP.NET Core's syntax.</summary>
internal sealed class PathTemplate
{
    /// <summary>Captures are stored in a fixed-size array of the exchange.</summary>
    public const int MaxParameters = 16;

    private PathTemplate(string text, List<TemplateVariant> variants, IReadOnlyDictionary<string, bool> parameters)
    {
        Text = text;
        Variants = variants;
        Parameters = parameters;
    }

    public string Text { get; }

    /// <summary>The template with and without its optional and defaulted tail, longest first.</summary>
    public IReadOnlyList<TemplateVariant> Variants { get; }

    /// <summary>Parameter names; true for a catch-all, whose value keeps its slashes.</summary>
    public IReadOnlyDictionary<string, bool> Parameters { get; }

    /// <summary>Parses a template; on failure returns the problem and a hint.</summary>
    public static PathTemplate? Parse(string text, out string? problem, out string? hint)
    {
        hint = null;
        problem = null;
        if (!text.StartsWith('/'))
        {
            problem = $"the path `{text}` does not begin with `/`";
            return null;
        }

        if (HoldsQuery(text))
        {
            problem = $"the path `{text}` contains a query";
            hint = "match query parameters with `match.query`";
            return null;
        }

        RoutePattern pattern;
        try
        {
            pattern = RoutePatternFactory.Parse(text);
        }
        catch (RoutePatternException e)
        {
            problem = $"the path `{text}` is not a route template: {e.Message.TrimEnd('.')}";
            return null;
        }

        if (pattern.Parameters.Count > MaxParameters)
        {
            problem = $"the path `{text}` has more than {MaxParameters} parameters";
            return null;
        }

        return Build(text, pattern, ref problem, ref hint);
    }

    /// <summary>
    /// Whether the text contains a query. Inside braces a question mark makes a parameter optional, or belongs to a constraint's pattern.
    /// </summary>
    private static bool HoldsQuery(string text)
    {
        var depth = 0;
        foreach (var c in text)
        {
            if (depth == 0 && c is ('?' or '#'))
                return true;
            depth +=
                c == '{' ? 1
                : c == '}' ? -1
                : 0;
        }

        return false;
    }

    private static PathTemplate? Build(string text, RoutePattern pattern, ref string? problem, ref string? hint)
    {
        var segments = new List<TemplateSegment>();
        foreach (var segment in pattern.PathSegments)
        {
            var parts = new List<SegmentPart>();
            foreach (var part in segment.Parts)
            {
                if (part is RoutePatternParameterPart parameter)
                {
                    if (ReadConstraints(parameter, out problem, out hint) is not { } constraints)
                        return null;
                    parts.Add(new SegmentPart(null, parameter.Name, constraints));
                }
                else
                {
                    var literal = part is RoutePatternLiteralPart l ? l.Content : ((RoutePatternSeparatorPart)part).Content;
                    parts.Add(new SegmentPart(RequestTarget.NormalizeLiteral(literal), null, []));
                }
            }

            if (parts.Count == 1 && parts[0].Literal is "." or "..")
            {
                problem = $"the path `{text}` contains a dot segment, which no request can have";
                return null;
            }

            segments.Add(new TemplateSegment([.. parts], segment.Parts.Any(p => p is RoutePatternParameterPart { IsCatchAll: true })));
        }

        return new PathTemplate(
            text,
            Expand(pattern, segments),
            pattern.Parameters.ToDictionary(p => p.Name, p => p.IsCatchAll, StringComparer.OrdinalIgnoreCase)
        );
    }

    private static PathConstraint[]? ReadConstraints(RoutePatternParameterPart parameter, out string? problem, out string? hint)
    {
        problem = hint = null;
        var constraints = new List<PathConstraint>();
        foreach (var policy in parameter.ParameterPolicies)
        {
            if (PathConstraint.Create(policy.Content ?? "", out problem, out hint) is not { } constraint)
                return null;
            constraints.Add(constraint);
        }

        return [.. constraints];
    }

    /// <summary>
    /// Expands the optional tail: <c>/a/{b?}</c> and <c>/a/{b=x}</c> also match without it; <c>{name}.{ext?}</c> also without the dot.
    /// </summary>
    private static List<TemplateVariant> Expand(RoutePattern pattern, List<TemplateSegment> segments)
    {
        var variants = new List<TemplateVariant> { new([.. segments], new Dictionary<string, string?>()) };
        var defaults = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        for (var count = segments.Count - 1; count >= 0; count--)
        {
            var parts = pattern.PathSegments[count].Parts;
            if (parts[^1] is not RoutePatternParameterPart last || last.IsCatchAll || !(last.IsOptional || last.Default is not null))
                break;
            defaults[last.Name] = last.Default?.ToString() is { } text ? RequestTarget.NormalizeLiteral(text) : null;
            if (parts.Count > 1)
            {
                var shorter = segments[count] with { Parts = segments[count].Parts[..^2] };
                variants.Add(
                    new([.. segments[..count], shorter], new Dictionary<string, string?>(defaults, StringComparer.OrdinalIgnoreCase))
                );
                break;
            }

            variants.Add(new([.. segments[..count]], new Dictionary<string, string?>(defaults, StringComparer.OrdinalIgnoreCase)));
        }

        return variants;
    }
}
