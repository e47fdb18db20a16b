using System.Collections.Frozen;
using Lintel.Config;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>What happens to a header on its way.</summary>
internal enum HeaderHandling
{
    /// <summary>It is passed on.</summary>
    Keep,

    /// <summary>It belongs to one connection (RFC 9110 section 7.6.1) or is made anew by the gateway.</summary>
    Drop,

    /// <summary>It is passed on as far as its own limits go (W3C Baggage).</summary>
    Limit,

    /// <summary>It tells about the client and is believed from trusted proxies only.</summary>
    KeepIfTrusted,
}

/// <summary>The one table of what headers pass through the gateway, for requests and responses, whichever forwarder carries them.</summary>
internal static class HeaderRules
{
    private const string ForwardedPrefix = "X-Forwarded-";

    private static readonly string[] OfOneConnection =
    [
        // RFC 9110 section 7.6.1, and RFC 9113 section 8.2.2 for those that must not reach HTTP/2
        "Connection",
        "Proxy-Connection",
        "Keep-Alive",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        // RFC 9110 section 11.7: credentials for and challenges of the proxy itself
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Authentication-Info",
        // RFC 9113 section 3.1
        "HTTP2-Settings",
    ];

    private static readonly FrozenDictionary<string, HeaderHandling> Request = OfOneConnection
        .Select(n => KeyValuePair.Create(n, HeaderHandling.Drop))
        .Concat([
            // Set anew by the forwarder, which knows whether there is a body to wait for.
            KeyValuePair.Create("Expect", HeaderHandling.Drop),
            // CGI turns it into HTTP_PROXY, by which programs choose their own proxy (httpoxy, CVE-2016-5385).
            KeyValuePair.Create("Proxy", HeaderHandling.Drop),
            // Written anew, from what the gateway itself knows.
            KeyValuePair.Create("Host", HeaderHandling.Drop),
            KeyValuePair.Create("Via", HeaderHandling.Drop),
            KeyValuePair.Create("Traceparent", HeaderHandling.Drop),
            KeyValuePair.Create("Tracestate", HeaderHandling.Drop),
            KeyValuePair.Create("X-Forwarded-For", HeaderHandling.Drop),
            KeyValuePair.Create("X-Forwarded-Proto", HeaderHandling.Drop),
            KeyValuePair.Create("X-Forwarded-Host", HeaderHandling.Drop),
            KeyValuePair.Create("Forwarded", HeaderHandling.Drop),
            // RFC 9440 section 2.1: only the TLS-terminating proxy, which is us, may say who the client's certificate names.
            KeyValuePair.Create("Client-Cert", HeaderHandling.Drop),
            KeyValuePair.Create("Client-Cert-Chain", HeaderHandling.Drop),
            KeyValuePair.Create("Baggage", HeaderHandling.Limit),
            KeyValuePair.Create("X-Real-IP", HeaderHandling.KeepIfTrusted),
        ])
        .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> Response = OfOneConnection
        .Where(n => n is not "Proxy-Authorization")
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Beside what no hop passes on, and fields of the content; of the latter, a digest may come after what it digests (RFC 9530 section
    /// 2).
    /// </summary>
    private static readonly FrozenSet<string> NeverTrailers = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "Accept",
        "Accept-Charset",
        "Accept-Encoding",
        "Accept-Language",
        "Accept-Ranges",
        "Age",
        "Allow",
        "Authentication-Info",
        "Authorization",
        "Cache-Control",
        "Cookie",
        "Date",
        "Expires",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Location",
        "Max-Forwards",
        "Origin",
        "Pragma",
        "Priority",
        "Proxy",
        "Proxy-Status",
        "Range",
        "Retry-After",
        "Set-Cookie",
        "Strict-Transport-Security",
        "Trailer",
        "Vary",
        "Warning",
        "WWW-Authenticate"
    );

    /// <summary>What happens to a request header on its way to a service.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="underscores">Whether names with <c>_</c> pass: services behind CGI, WSGI or PHP cannot tell them from those with
    /// <c>-</c>.</param>
    public static HeaderHandling OfRequest(string name, UnderscoreFields underscores)
    {
        if (Request.TryGetValue(name, out var fate))
            return fate;
        if (name.StartsWith(ForwardedPrefix, StringComparison.OrdinalIgnoreCase))
            return HeaderHandling.KeepIfTrusted;

        // What is governed stays so under either spelling.
        return
            name.Contains('_')
            && (underscores == UnderscoreFields.Drop || OfRequest(name.Replace('_', '-'), underscores) != HeaderHandling.Keep)
            ? HeaderHandling.Drop
            : HeaderHandling.Keep;
    }

    /// <summary>Whether a response header goes on to the client.</summary>
    public static bool KeepsResponse(string name) => !Response.Contains(name);

    /// <summary>RFC 9110 section 15.5.22: 426 must say which protocols are required, to a client of HTTP/1.1.</summary>
    public static bool IsRequiredUpgrade(string name, int status) =>
        status == StatusCodes.Status426UpgradeRequired && name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Whether a field may stand after the body, in either direction (RFC 9110 section 6.5.1): never one that frames, routes, authenticates
    /// or controls, or says how to take the content.
    /// </summary>
    /// <remarks>Who merges trailers into the head would believe them. Either spelling counts, as for headers.</remarks>
    public static bool KeepsTrailer(string name)
    {
        var usual = name.Contains('_') ? name.Replace('_', '-') : name;
        if (NeverTrailers.Contains(usual) || OfRequest(usual, UnderscoreFields.Allow) != HeaderHandling.Keep || !KeepsResponse(usual))
            return false;
        return !usual.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)
            || usual.Equals("Content-Digest", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Whether <c>TE</c> says that trailers are welcome: the one meaning of it that survives a hop (RFC 9110 section 10.1.4; gRPC insists
    /// on it).
    /// </summary>
    public static bool TakesTrailers(StringValues te)
    {
        foreach (var line in te)
        {
            if (line is not null && line.Contains("trailers", StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary>
    /// The names in <c>Connection</c>, which belong to this connection too; <see langword="null"/> where it holds nothing but <c>close</c>
    /// and <c>keep-alive</c>.
    /// </summary>
    public static HashSet<string>? Nominated(StringValues connection)
    {
        HashSet<string>? names = null;
        foreach (var line in connection)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var name = line.AsSpan()[range].Trim();
                if (
                    name.IsEmpty
                    || name.Equals("close", StringComparison.OrdinalIgnoreCase)
                    || name.Equals("keep-alive", StringComparison.OrdinalIgnoreCase)
                )
                    continue;
                (names ??= new HashSet<string>(StringComparer.OrdinalIgnoreCase)).Add(name.ToString());
            }
        }

        return names;
    }
}
