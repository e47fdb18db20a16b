using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Answering;

/// <summary>A redirect's address: a fixed origin or <c>{host}</c>, a path and a query with placeholders. No value of a request can choose another origin.</summary>
internal sealed class Location
{
    private static readonly SearchValues<char> NotInHost = SearchValues.Create("/\\?#@ ");

    private readonly string _scheme;
    private readonly string? _authority;
    private readonly UpstreamPath _path;
    private readonly (string Literal, Template? Value)[] _query;

    private Location(string scheme, string? authority, UpstreamPath path, (string Literal, Template? Value)[] query)
    {
        _scheme = scheme;
        _authority = authority;
        _path = path;
        _query = query;
    }

    /// <summary>Compiles an address; otherwise says what is wrong and what would be right.</summary>
    public static Location? Parse(string text, RouteParameters parameters, out string? problem, out string? hint)
    {
        hint = "write `https://host/path`, `https://{host}/path` or `/path`";
        problem = $"`{text}` is not an address to redirect to";
        if (text.Contains('#'))
        {
            hint = "the client keeps its own";
            problem = $"`{text}` holds a fragment";
            return null;
        }

        var scheme = "";
        var authority = "";
        var rest = text;
        if (!text.StartsWith('/'))
        {
            scheme = text.StartsWith("https://", StringComparison.Ordinal) ? "https://" : text.StartsWith("http://", StringComparison.Ordinal) ? "http://" : "";
            if (scheme.Length == 0)
                return null;
            var slash = text.IndexOfAny(['/', '?'], scheme.Length);
            authority = slash < 0 ? text[scheme.Length..] : text[scheme.Length..slash];
            rest = slash < 0 ? "/" : text[slash] == '?' ? "/" + text[slash..] : text[slash..];
            if (authority != "{host}" && (!Uri.TryCreate(scheme + authority, UriKind.Absolute, out var origin) || origin.UserInfo.Length > 0 || authority.Contains('{')))
                return null;
        }

        var mark = rest.IndexOf('?');
        var path = UpstreamPath.Parse(mark < 0 ? rest : rest[..mark], parameters, PathTraits.EncodedSlash | PathTraits.Semicolon, out problem, out hint);
        if (path is null || ParseQuery(mark < 0 ? "" : rest[(mark + 1)..], parameters, out problem, out hint) is not { } query)
            return null;
        return new Location(scheme, authority == "{host}" ? null : authority, path, query);
    }

    public bool TryRender(Exchange exchange, out string address, [NotNullWhen(false)] out string? problem)
    {
        if (!_path.TryRender(exchange, out address, out problem))
            return false;
        var authority = _authority ?? exchange.Request.Host.Host;
        if (authority.AsSpan().ContainsAny(NotInHost))
        {
            problem = "the host cannot be redirected to";
            return false;
        }

        address = _scheme + authority + address;
        var separator = '?';
        foreach (var (literal, value) in _query)
        {
            var text = value is null ? literal : value.RenderForQuery(exchange) is { } rendered ? literal + rendered : null;
            if (text is null)
                continue;
            address += separator + text;
            separator = '&';
        }

        return true;
    }

    private static (string Literal, Template? Value)[]? ParseQuery(string query, RouteParameters parameters, out string? problem, out string? hint)
    {
        problem = hint = null;
        var result = new List<(string, Template?)>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            if (pair.AsSpan(0, equals < 0 ? pair.Length : equals).ContainsAny('{', '}'))
            {
                problem = $"`{pair}` has a placeholder for a parameter's name";
                hint = "write `name={placeholder}`";
                return null;
            }

            if (equals < 0 || !pair.AsSpan().ContainsAny('{', '}'))
            {
                result.Add((pair, null));
                continue;
            }

            if (Template.Parse(pair[(equals + 1)..], parameters, out problem, out hint) is not { } value)
                return null;
            result.Add((pair[..(equals + 1)], value));
        }

        return [.. result];
    }
}
