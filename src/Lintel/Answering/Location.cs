using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Lintel.Config.Grammars;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Answering;

/// <summary>
/// The target of a redirect: a fixed origin or <c>{host}</c>, with a path and a query with placeholders; or the request's own URL with
/// another scheme. No value of a request can select another origin.
/// </summary>
internal sealed class Location
{
    private const string WholeQuery = "{query}";

    private static readonly SearchValues<char> NotInHost = SearchValues.Create("/\\?#@ ");

    private readonly string _scheme;
    private readonly string? _authority;
    private readonly UpstreamPath? _path;
    private readonly (string Literal, Template? Value)[] _query;

    private readonly bool _keepsQuery;

    private Location(string scheme, string? authority, UpstreamPath? path, (string Literal, Template? Value)[] query, bool keepsQuery)
    {
        _keepsQuery = keepsQuery;
        _scheme = scheme;
        _authority = authority;
        _path = path;
        _query = query;
    }

    /// <summary>The request's own host, path and query with another scheme.</summary>
    public static Location Of(string scheme) => new(scheme + "://", null, null, [], keepsQuery: true);

    /// <summary>Compiles an address; on failure returns the problem and a hint.</summary>
    public static Location? Parse(string text, RouteParameters parameters, out string? problem, out string? hint)
    {
        hint = "write `https://host/path`, `https://{host}/path` or `/path`";
        problem = $"`{text}` is not a valid redirect location";
        if (text.Contains('#'))
        {
            hint = "remove it; the client keeps the fragment of its own URL";
            problem = $"`{text}` contains a fragment";
            return null;
        }

        var scheme = "";
        var authority = "";
        var rest = text;
        if (!text.StartsWith('/'))
        {
            text = WithAsciiHost(text);
            scheme =
                text.StartsWith("https://", StringComparison.Ordinal) ? "https://"
                : text.StartsWith("http://", StringComparison.Ordinal) ? "http://"
                : "";
            if (scheme.Length == 0)
                return null;
            var slash = text.IndexOfAny(['/', '?'], scheme.Length);
            authority = slash < 0 ? text[scheme.Length..] : text[scheme.Length..slash];
            rest =
                slash < 0 ? "/"
                : text[slash] == '?' ? "/" + text[slash..]
                : text[slash..];
            if (
                authority != "{host}"
                && (
                    !Uri.TryCreate(scheme + authority, UriKind.Absolute, out var origin)
                    || origin.UserInfo.Length > 0
                    || authority.Contains('{')
                )
            )
                return null;
        }

        var addsQuery = rest.EndsWith(WholeQuery, StringComparison.Ordinal);
        rest = addsQuery ? rest[..^WholeQuery.Length] : rest;
        if (rest.Contains(WholeQuery, StringComparison.Ordinal))
        {
            problem = $"`{{query}}` is not at the end of `{text}`";
            hint = "it expands to the whole query string; move it to the end";
            return null;
        }

        var mark = rest.IndexOf('?');
        var path = UpstreamPath.Parse(
            mark < 0 ? rest : rest[..mark],
            parameters,
            PathTraits.EncodedSlash | PathTraits.Semicolon,
            out problem,
            out hint
        );
        if (path is null || ParseQuery(mark < 0 ? "" : rest[(mark + 1)..], parameters, out problem, out hint) is not { } query)
            return null;
        return new Location(scheme, authority == "{host}" ? null : authority, path, query, keepsQuery: addsQuery || mark < 0);
    }

    public bool TryRender(Exchange exchange, out string address, [NotNullWhen(false)] out string? problem)
    {
        problem = null;
        address = exchange.RequestTarget.Path;
        if (_path is not null && !_path.TryRender(exchange, out address, out problem))
            return false;
        if (_scheme.Length == 0 && address.StartsWith("//", StringComparison.Ordinal))
        {
            // a network-path reference (RFC 3986 section 4.2), possible if the route keeps empty segments
            problem = "the path would be interpreted as a host";
            return false;
        }

        var authority = _authority ?? RequestHost.WithoutPort(exchange.Host).ToString();
        if (authority.AsSpan().ContainsAny(NotInHost))
        {
            problem = "the host is not a valid redirect location";
            return false;
        }

        address = _scheme + authority + address;
        var separator = '?';
        foreach (var (literal, value) in _query)
        {
            var text =
                value is null ? literal
                : value.RenderForQuery(exchange, literal[..^1]) is { } rendered ? literal + rendered
                : null;
            if (text is null)
                continue;
            address += separator + text;
            separator = '&';
        }

        if (_keepsQuery && exchange.RequestTarget.Query is { Length: > 1 } query)
            address += separator + query[1..];
        return true;
    }

    /// <summary>Converts an internationalized host name to A-labels: only ASCII is sent.</summary>
    private static string WithAsciiHost(string text)
    {
        var start = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = start < 3 ? -1 : text.IndexOfAny(['/', '?', ':'], start);
        var host =
            start < 3 ? ""
            : end < 0 ? text[start..]
            : text[start..end];
        return System.Text.Ascii.IsValid(host) ? text : text[..start] + HostNames.ToAscii(host) + text[(start + host.Length)..];
    }

    private static (string Literal, Template? Value)[]? ParseQuery(
        string query,
        RouteParameters parameters,
        out string? problem,
        out string? hint
    )
    {
        problem = hint = null;
        var result = new List<(string, Template?)>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=');
            if (pair.AsSpan(0, equals < 0 ? pair.Length : equals).ContainsAny('{', '}'))
            {
                problem = $"`{pair}` has a placeholder in the parameter name";
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
