using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using Lintel.Config;

namespace Lintel.Observability;

/// <summary>
/// Redacts credentials in log lines. In doubt it redacts too much: a name matches regardless of case, punctuation, encoding and position in
/// the query.
/// </summary>
internal sealed class Redaction
{
    /// <summary>The replacement of a secret.</summary>
    public const string Mark = "REDACTED";

    /// <summary>A value that is still escaped after so many rounds was made to hide something.</summary>
    private const int MaxDecodings = 5;

    /// <summary>Characters that end a name.</summary>
    private static readonly SearchValues<char> Ends = SearchValues.Create("?&;#{}(),[]\"'=: /\\|<>\t\r\n");

    private readonly FrozenSet<string> _headers;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _parameters;

    public Redaction(RedactConfig config)
    {
        _headers = Secrets.Headers.Concat(config.Headers).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        Span<char> buffer = stackalloc char[Secrets.MaxName];
        var names = new List<string>(Secrets.Parameters);
        foreach (var name in config.Query)
            names.Add(Secrets.Canonical(name, buffer).ToString());
        _parameters = names.ToFrozenSet(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public bool IsSecretHeader(string name) => _headers.Contains(name);

    /// <summary>A query without its question mark, its secrets replaced.</summary>
    public string Query(ReadOnlySpan<char> query)
    {
        if (query.StartsWith('?'))
            query = query[1..];
        StringBuilder? result = null;
        foreach (var range in query.Split('&'))
        {
            var parameter = query[range];
            var isSecret = IsSecret(parameter);
            if (result is not null)
                result.Append('&');
            else if (isSecret)
                result = new StringBuilder(query.Length).Append(query[..range.Start.Value]);
            if (isSecret)
                result!.Append(Replaced(parameter));
            else
                result?.Append(parameter);
        }

        return result?.ToString() ?? query.ToString();
    }

    /// <summary>A path with secrets in segment parameters (<c>;name=value</c>) redacted.</summary>
    public string Path(string path)
    {
        if (!path.Contains(';') && !path.Contains("%3B", StringComparison.OrdinalIgnoreCase))
            return path;
        return string.Join(
            '/',
            path.Split('/')
                .Select(segment =>
                {
                    var start = segment.IndexOf(';') is >= 0 and var plain
                        ? plain
                        : segment.IndexOf("%3B", StringComparison.OrdinalIgnoreCase);
                    return start >= 0 && IsSecret(segment.AsSpan(start)) ? string.Concat(segment.AsSpan(0, start), ";", Mark) : segment;
                })
        );
    }

    /// <summary>A header value: secrets in the query of a URL, as in <c>Referer</c>, are redacted.</summary>
    public string HeaderValue(string value)
    {
        var mark = value.IndexOf('?');
        return mark < 0 ? value : string.Concat(value.AsSpan(0, mark + 1), Query(value.AsSpan(mark + 1)));
    }

    /// <summary>The name is kept if it is plainly a name; a name that hides a value is redacted too.</summary>
    private static string Replaced(ReadOnlySpan<char> parameter)
    {
        var end = parameter.IndexOf('=');
        return end < 0 || Decoded(parameter[..end]) is not { } name || name.AsSpan().ContainsAny(Ends)
            ? Mark
            : $"{parameter[..end]}={Mark}";
    }

    /// <summary>
    /// Whether the name of a secret precedes a <c>=</c> or <c>:</c> anywhere in it: servers differ in what separates parameters, and values
    /// may contain URLs, forms and JSON.
    /// </summary>
    private bool IsSecret(ReadOnlySpan<char> parameter)
    {
        if (Decoded(parameter) is not { } text)
            return true;
        var start = -1;
        var isNamed = false;
        for (var i = 0; i < text.Length; i++)
        {
            if (!Ends.Contains(text[i]))
            {
                if (start < 0)
                    start = i;
                continue;
            }

            if (start >= 0)
                isNamed |= IsSecretName(text.AsSpan(start, i - start));
            start = -1;
            if (text[i] is '=' or ':' && isNamed)
                return true;

            // `user[token][0]` and `"token" :` go on to their value; after anything else another name begins.
            if (text[i] is not ('[' or ']' or '"' or '\'' or ' '))
                isNamed = false;
        }

        return false;
    }

    /// <summary>The name as a whole, or a part of it between points: some servers read <c>user.token</c> as a token.</summary>
    private bool IsSecretName(ReadOnlySpan<char> name)
    {
        Span<char> buffer = stackalloc char[Secrets.MaxName];
        if (_parameters.Contains(Secrets.Canonical(name, buffer)))
            return true;
        if (!name.Contains('.'))
            return false;
        foreach (var part in name.Split('.'))
        {
            if (_parameters.Contains(Secrets.Canonical(name[part], buffer)))
                return true;
        }

        return false;
    }

    /// <summary>The text decoded repeatedly until no escapes remain; <see langword="null"/> if that takes too long.</summary>
    private static string? Decoded(ReadOnlySpan<char> text)
    {
        var decoded = text.ToString();
        for (var round = 0; round < MaxDecodings; round++)
        {
            if (!decoded.Contains('%'))
                return decoded;
            var once = DecodedOnce(decoded);
            if (once == decoded)
                return decoded;
            decoded = once;
        }

        return null;
    }

    private static string DecodedOnce(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (
                text[i] == '%'
                && i + 2 < text.Length
                && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            )
            {
                bytes[count++] = value;
                i += 2;
            }
            else if (
                text[i] == '%'
                && i + 5 < text.Length
                && text[i + 1] is 'u' or 'U'
                && ushort.TryParse(text.AsSpan(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            )
            {
                count += Encoding.UTF8.GetBytes([(char)unit], bytes.AsSpan(count)); // IIS reads these
                i += 5;
            }
            else
            {
                count += Encoding.UTF8.GetBytes([text[i]], bytes.AsSpan(count));
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, count);
    }
}
