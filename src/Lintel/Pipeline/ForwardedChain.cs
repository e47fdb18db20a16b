using System.Text;
using Lintel.Config;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>
/// Parser of <c>Forwarded</c> (RFC 7239): one element for each proxy, the nearest one last. Linear in the length of the field.
/// </summary>
internal sealed class ForwardedChain
{
    private readonly List<List<(string Name, string Value)>> _elements = [];

    private ForwardedChain() { }

    /// <summary>
    /// Parses all lines; <see langword="null"/> if one of them is malformed. Nothing may be appended to such a value: an open quotation
    /// mark would swallow it.
    /// </summary>
    public static ForwardedChain? Parse(StringValues lines)
    {
        var field = new ForwardedChain();
        foreach (var line in lines)
        {
            if (!field.TryTake(line.AsSpan()))
                return null;
        }

        return field;
    }

    /// <summary>A parameter's values, that of the nearest proxy first; <see langword="null"/> for an element without it.</summary>
    public IEnumerable<string?> Nearest(string name)
    {
        for (var i = _elements.Count - 1; i >= 0; i--)
            yield return _elements[i].Find(p => p.Name == name).Value;
    }

    /// <summary>The elements as received, followed by one more.</summary>
    public string With(string last)
    {
        var result = new StringBuilder();
        foreach (var element in _elements)
        {
            for (var i = 0; i < element.Count; i++)
            {
                var (name, value) = element[i];
                result.Append(i == 0 ? "" : ";").Append(name).Append('=');
                if (HeaderGrammar.IsToken(value))
                    result.Append(value);
                else
                    result
                        .Append('"')
                        .Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal))
                        .Append('"');
            }

            result.Append(", ");
        }

        return result.Append(last).ToString();
    }

    private bool TryTake(ReadOnlySpan<char> rest)
    {
        var element = new List<(string, string)>();
        while (true)
        {
            rest = rest.TrimStart(" \t");
            if (rest.IsEmpty || rest[0] is ',' or ';')
            {
                if ((rest.IsEmpty || rest[0] == ',') && element.Count > 0)
                {
                    _elements.Add(element);
                    element = [];
                }

                if (rest.IsEmpty)
                    return true;
                rest = rest[1..];
                continue;
            }

            if (!TryTakePair(ref rest, element))
                return false;
            rest = rest.TrimStart(" \t");
            if (!rest.IsEmpty && rest[0] is not (',' or ';'))
                return false;
        }
    }

    private static bool TryTakePair(ref ReadOnlySpan<char> rest, List<(string Name, string Value)> element)
    {
        var equals = rest.IndexOfAny("=,;\"");
        if (equals <= 0 || rest[equals] != '=' || !HeaderGrammar.IsToken(rest[..equals]))
            return false;
        var name = rest[..equals].ToString().ToLowerInvariant();
        rest = rest[(equals + 1)..];
        string? value;
        if (rest is ['"', ..])
        {
            value = TakeQuoted(ref rest);
        }
        else
        {
            var end = rest.IndexOfAny(",; \t");
            var token = end < 0 ? rest : rest[..end];
            rest = rest[token.Length..];
            value = HeaderGrammar.IsToken(token) ? token.ToString() : null;
        }

        if (value is null || element.Exists(p => p.Name == name) || element.Count >= 16)
            return false;
        element.Add((name, value));
        return true;
    }

    /// <returns><see langword="null"/> if the quotation mark is not closed.</returns>
    private static string? TakeQuoted(ref ReadOnlySpan<char> rest)
    {
        var value = new StringBuilder();
        for (var i = 1; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                rest = rest[(i + 1)..];
                return value.ToString();
            }

            if (rest[i] == '\\' && ++i == rest.Length)
                break;
            value.Append(rest[i]);
        }

        return null;
    }
}
