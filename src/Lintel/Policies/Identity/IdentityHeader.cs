using System.Text;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Pipeline;

namespace Lintel.Policies.Identity;

/// <summary>A header that tells services something about the caller. Different callers have different values.</summary>
internal sealed class IdentityHeader
{
    private readonly Template _template;

    /// <exception cref="FormatException">The text is not valid.</exception>
    public IdentityHeader(string name, string text)
    {
        (Name, Text) = (name, text);
        _template = Template.Parse(text, RouteParameters.Late, out var problem, out _) ?? throw new FormatException(problem);
    }

    public string Name { get; }

    /// <summary>The value as it is written.</summary>
    public string Text { get; }

    /// <summary>The parameters of the route that the value refers to.</summary>
    public IEnumerable<string> Parameters => _template.Pieces.Select(p => p.Placeholder.Parameter).OfType<string>();

    /// <summary>Renders the value.</summary>
    /// <param name="exchange">The request.</param>
    /// <param name="value">The value; <see langword="null"/> if one of the placeholders has none.</param>
    /// <returns>False if a value cannot be in a header.</returns>
    public bool TryRender(Exchange exchange, out string? value)
    {
        value = null;
        var result = new StringBuilder();
        foreach (var piece in _template.Pieces)
        {
            if (piece.Literal is { } literal)
            {
                result.Append(Config.Grammars.FieldText.ToBytes(literal));
                continue;
            }

            if (ValueOf(exchange, piece.Placeholder) is not { Length: > 0 } text)
                return true;
            if (text.AsSpan().ContainsAnyInRange('\0', '\x1f') || text.Contains('\x7f'))
                return false;
            result.Append(text);
        }

        value = result.Length > 0 ? result.ToString() : null;
        return true;
    }

    private static string? ValueOf(Exchange exchange, Placeholder placeholder)
    {
        if (placeholder.IsOfBytes)
            return placeholder.Text(exchange);
        if (placeholder.Source != PlaceholderSource.Claim)
            return placeholder.Text(exchange) is { } text ? Unambiguous(text, isItem: false) : null;
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            if (!caller.Identity.Claims.TryFind(placeholder.Name, out var value))
                continue;
            var texts = ClaimSet.Texts(value).ToList();
            if (value.ValueKind != JsonValueKind.Array)
                return texts is [var one] ? Unambiguous(one, isItem: false) : null;
            return texts.Count == value.GetArrayLength() ? string.Join(',', texts.Select(t => Unambiguous(t, isItem: true))) : null;
        }

        return null;
    }

    /// <summary>
    /// Percent-encodes what does not arrive as it is: characters outside of ASCII, spaces at an end, and what looks like an escape or, in a
    /// list, like the end of an item. Control characters remain, and are refused.
    /// </summary>
    private static string Unambiguous(string text, bool isItem)
    {
        var isPlain =
            text.Length > 0
            && !text.AsSpan().ContainsAnyExceptInRange(' ', '~')
            && !text.Contains('%')
            && text[0] != ' '
            && text[^1] != ' '
            && !(isItem && text.Contains(','));
        return isPlain || text.AsSpan().ContainsAnyInRange('\0', '\x1f') || text.Contains('\x7f') ? text : Uri.EscapeDataString(text);
    }
}
