using System.Text;
using Lintel.Config.Grammars;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A text with placeholders, parsed when the snapshot is compiled.</summary>
internal sealed class Template
{
    private readonly Piece[] _pieces;

    private Template(Piece[] pieces) => _pieces = pieces;

    /// <summary>Whether it contains no placeholder.</summary>
    public bool IsConstant => _pieces.All(p => p.Literal is not null);

    public IReadOnlyList<Piece> Pieces => _pieces;

    /// <summary>The same template with its literal text unescaped, for text written as it appears in a URL.</summary>
    public Template Unescaped() =>
        new([.. _pieces.Select(p => p.Literal is null ? p : p with { Literal = Uri.UnescapeDataString(p.Literal) })]);

    /// <summary>Parses a text; on failure returns the problem and a hint.</summary>
    /// <param name="text">Text with <c>{placeholders}</c>; <c>{{</c> and <c>}}</c> are literal braces.</param>
    /// <param name="parameters">The route's parameters: name, index, whether a catch-all.</param>
    /// <param name="problem">The problem.</param>
    /// <param name="hint">How to fix it.</param>
    public static Template? Parse(string text, RouteParameters parameters, out string? problem, out string? hint)
    {
        problem = hint = null;
        var pieces = new List<Piece>();
        var literal = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '{' or '}' && i + 1 < text.Length && text[i + 1] == text[i])
            {
                literal.Append(text[i++]);
                continue;
            }

            if (text[i] == '}')
            {
                problem = $"unmatched `}}` in `{text}`";
                hint = "write `}}` for a literal brace";
                return null;
            }

            if (text[i] != '{')
            {
                literal.Append(text[i]);
                continue;
            }

            var end = text.IndexOf('}', i);
            if (end < 0)
            {
                problem = $"unclosed `{{` in `{text}`";
                hint = "write `{{` for a literal brace";
                return null;
            }

            if (ParsePlaceholder(text[(i + 1)..end], parameters, out problem, out hint) is not { } placeholder)
                return null;
            if (literal.Length > 0)
                pieces.Add(new Piece(literal.ToString(), default));
            literal.Clear();
            pieces.Add(new Piece(null, placeholder));
            i = end;
        }

        if (literal.Length > 0)
            pieces.Add(new Piece(literal.ToString(), default));
        return new Template([.. pieces]);
    }

    /// <summary>
    /// Renders the text for a header line, as bytes: literal text as UTF-8, headers and cookies as received, other values unescaped where
    /// they remain printable ASCII. <see langword="null"/> if a value is not valid in a header.
    /// </summary>
    public string? RenderForHeader(Exchange exchange)
    {
        if (_pieces is [{ Literal: { } only }])
            return FieldText.ToBytes(only);
        var result = new StringBuilder();
        foreach (var piece in _pieces)
        {
            if (piece.Literal is { } literal)
            {
                result.Append(FieldText.ToBytes(literal));
                continue;
            }

            if (piece.Placeholder.Text(exchange) is not { } value)
                continue;
            if ((piece.Placeholder.IsOfBytes ? WithoutControls(value) : ForHeader(value)) is not { } fit)
                return null;
            result.Append(fit);
        }

        return result.ToString();
    }

    /// <summary>
    /// A value in the form for a header line: unchanged if it is printable ASCII, otherwise escaped; <see langword="null"/> if it contains
    /// a control character.
    /// </summary>
    public static string? ForHeader(string value)
    {
        if (!value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            return value;
        return WithoutControls(value) is null ? null : Uri.EscapeDataString(value);
    }

    private static string? WithoutControls(string value) =>
        value.AsSpan().ContainsAnyInRange('\0', '\x1f') || value.Contains('\x7f') ? null : value;

    /// <summary>Renders the text without escapes; <see langword="null"/> if a placeholder has no value.</summary>
    public string? RenderText(Exchange exchange)
    {
        var result = new StringBuilder();
        foreach (var piece in _pieces)
        {
            if ((piece.Literal ?? piece.Placeholder.Text(exchange)) is not { } text)
                return null;
            result.Append(piece.Literal is null && piece.Placeholder.IsOfBytes ? FieldText.ToText(text) : text);
        }

        return result.ToString();
    }

    /// <summary>Renders the text for a query parameter's value, escaped. <see langword="null"/> if all placeholders are absent.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="name">The parameter's name, escaped. If the value is that of a parameter which the client repeats, this one is
    /// repeated too.</param>
    /// <param name="references">Responses of other calls.</param>
    public string? RenderForQuery(Exchange exchange, string name, ReferencedValues? references = null)
    {
        if (_pieces is [{ Literal: null, Placeholder: { Source: PlaceholderSource.Query } parameter }])
        {
            var values = QueryValues.Find(exchange.RequestTarget.Query, parameter.Name);
            return values.Count == 0 ? null : string.Join($"&{name}=", values.Select(static v => Uri.EscapeDataString(v ?? "")));
        }

        var result = new StringBuilder();
        var isAbsent = _pieces.Length > 0;
        foreach (var piece in _pieces)
        {
            if (piece is { Literal: null, Placeholder: { Source: PlaceholderSource.Reference } reference })
            {
                var text = references!.QueryText(reference.Slot);
                isAbsent &= text is null;
                result.Append(text);
                continue;
            }

            var value = piece.Literal ?? piece.Placeholder.Text(exchange);
            isAbsent &= value is null;
            result.Append(
                piece.Literal is null && piece.Placeholder.IsOfBytes ? FieldText.Escape(value ?? "") : Uri.EscapeDataString(value ?? "")
            );
        }

        return isAbsent ? null : result.ToString();
    }

    private static Placeholder? ParsePlaceholder(string expression, RouteParameters parameters, out string? problem, out string? hint)
    {
        problem = hint = null;
        if (parameters.References is { } references && parameters.IndexOf(expression) < 0 && references.Takes(expression))
        {
            var reference = references.Add(expression, out problem, out hint);
            return reference < 0 ? null : new Placeholder(PlaceholderSource.Reference, expression, reference, IsCatchAll: false);
        }

        var colon = expression.IndexOf(':');
        if (colon < 0)
        {
            switch (expression)
            {
                case "clientIp":
                    return new Placeholder(PlaceholderSource.ClientIp, "", -1, IsCatchAll: false);
                case "host":
                    return new Placeholder(PlaceholderSource.Host, "", -1, IsCatchAll: false);
            }

            var slot = parameters.IndexOf(expression);
            if (slot >= 0)
                return new Placeholder(PlaceholderSource.Parameter, parameters.Names[slot], slot, parameters.IsCatchAll(slot));
            if (parameters.IsLate && expression.Length > 0)
                return new Placeholder(PlaceholderSource.NamedParameter, expression, -1, IsCatchAll: false);
            problem = $"`{{{expression}}}` is not a parameter of the route's path{(parameters.References is null ? "" : " or a call")}";
            var end = parameters.References is null ? -1 : expression.AsSpan().IndexOfAny('.', '[');
            hint = Suggestion.For(
                end < 0 ? expression : expression[..end],
                [.. parameters.Names, "clientIp", "host", .. parameters.References?.Names ?? []]
            );
            return null;
        }

        var name = expression[(colon + 1)..];
        PlaceholderSource? source = expression[..colon] switch
        {
            "query" => PlaceholderSource.Query,
            "header" => PlaceholderSource.Header,
            "cookie" => PlaceholderSource.Cookie,
            "claim" => PlaceholderSource.Claim,
            "caller" => PlaceholderSource.Caller,
            _ => null,
        };
        if (source == PlaceholderSource.Caller && name is not ("subject" or "client"))
        {
            problem = $"unknown placeholder `{{{expression}}}`";
            hint = "of the caller there are `{caller:subject}` and `{caller:client}`; its claims are `{claim:name}`";
            return null;
        }

        if (source is { } known && name.Length > 0)
            return new Placeholder(known, name, -1, IsCatchAll: false);
        problem = $"unknown placeholder `{{{expression}}}`";
        hint =
            $"placeholders are `{{parameter}}`, {(parameters.References is null ? "" : "`{call.field}`, ")}`{{query:name}}`, "
            + $"`{{header:Name}}`, `{{cookie:name}}`, `{{claim:name}}`, `{{caller:client}}`, `{{caller:subject}}`, "
            + "`{{clientIp}}` and `{{host}}`";
        return null;
    }

    /// <summary>A literal, or a placeholder.</summary>
    internal readonly record struct Piece(string? Literal, Placeholder Placeholder);
}

/// <summary>The source of a placeholder's value.</summary>
internal enum PlaceholderSource
{
    Parameter,
    Query,
    Header,
    Cookie,
    ClientIp,
    Host,

    /// <summary>A parameter of whichever route the request has matched, found by its name.</summary>
    NamedParameter,

    /// <summary>A claim of the authenticated caller.</summary>
    Claim,

    /// <summary>The subject of the authenticated caller, or the configured client that it is.</summary>
    Caller,

    /// <summary>A value from outside the request, in <see cref="ReferencedValues"/>.</summary>
    Reference,
}

/// <summary>A reference to a value of the request.</summary>
internal readonly record struct Placeholder(PlaceholderSource Source, string Name, int Slot, bool IsCatchAll)
{
    /// <summary>The name of the route's parameter that it refers to; <see langword="null"/> for anything else.</summary>
    public string? Parameter => Source is PlaceholderSource.Parameter or PlaceholderSource.NamedParameter ? Name : null;

    /// <summary>Whether its text is that of a field: bytes, each represented as one character.</summary>
    public bool IsOfBytes => Source is PlaceholderSource.Header or PlaceholderSource.Cookie;

    /// <summary>The value without escapes, several values separated by commas; <see langword="null"/> if the request has none.</summary>
    public string? Text(Exchange exchange) =>
        Source switch
        {
            PlaceholderSource.Parameter => exchange.Parameter(Slot) is { } value ? Uri.UnescapeDataString(value) : null,
            PlaceholderSource.Query => QueryValues.Find(exchange.RequestTarget.Query, Name) is { Count: > 0 } values
                ? values.ToString()
                : null,
            PlaceholderSource.Header => exchange.Field(Name),
            PlaceholderSource.Cookie => exchange.Cookie(Name),
            PlaceholderSource.ClientIp => exchange.ClientAddress?.ToString(),
            PlaceholderSource.Host => exchange.Host,
            PlaceholderSource.Claim => exchange.Claim(Name),
            PlaceholderSource.Caller => Name == "client" ? exchange.CallingClient : exchange.CallerSubject,
            PlaceholderSource.NamedParameter => exchange.Parameter(Name) is { } named ? Uri.UnescapeDataString(named) : null,
            _ => throw new InvalidOperationException($"{{{Name}}} is not a value of the request."),
        };
}

/// <summary>A route's parameters by index, and what else its placeholders may refer to.</summary>
internal sealed class RouteParameters(IReadOnlyList<string> names, IReadOnlyList<bool> catchAlls, ReferenceScope? references = null)
{
    /// <summary>For texts of policies, which several routes with different parameters may refer to: every name may be one.</summary>
    public static RouteParameters Late { get; } = new([], []) { IsLate = true };

    /// <summary>Whether parameters are found by their name when a request is there.</summary>
    public bool IsLate { get; private init; }

    public IReadOnlyList<string> Names { get; } = names;

    public ReferenceScope? References { get; } = references;

    public RouteParameters With(ReferenceScope scope) => new(Names, catchAlls, scope);

    public bool IsCatchAll(int slot) => catchAlls[slot];

    public int IndexOf(string name)
    {
        for (var i = 0; i < Names.Count; i++)
        {
            if (Names[i].Equals(name, StringComparison.OrdinalIgnoreCase))
                return i;
        }

        return -1;
    }
}
