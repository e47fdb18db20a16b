using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Policies.Session;

/// <summary>
/// Tells requests that a page of the same origin has sent from those that another page makes a browser send with its cookies.
/// </summary>
/// <remarks>
/// The session's cookie is <c>SameSite=Lax</c>, which keeps it out of cross-site requests except navigations. That does not cover other
/// origins of the same site, such as a sibling subdomain. See Fetch Metadata (<c>Sec-Fetch-*</c>) and OWASP's guide to CSRF.
/// </remarks>
internal static class BrowserRequest
{
    /// <summary>A header that pages of other origins cannot add without the permission of CORS.</summary>
    public const string Header = "X-CSRF";

    /// <summary>Whether a browser navigates to the URL with the request, or a page asks for the answer.</summary>
    public static bool IsNavigation(Exchange exchange)
    {
        if (!HttpMethods.IsGet(exchange.Request.Method) || IsWebSocket(exchange))
            return false;
        return exchange.Field("Sec-Fetch-Mode") is { } mode
            ? mode == "navigate"
            : exchange.Field("Accept")?.Contains("text/html", StringComparison.OrdinalIgnoreCase) == true;
    }

    /// <summary>Whether the request carries the header that only a page of the same origin can add.</summary>
    public static bool HasHeader(Exchange exchange) => exchange.Field(Header) == "1";

    /// <summary>Whether a page of the same origin has sent the request, by what its browser says.</summary>
    public static bool IsOfSameOrigin(Exchange exchange) =>
        exchange.Field("Sec-Fetch-Site") is { } site ? site == "same-origin" : HasSameOrigin(exchange);

    /// <summary>Why a request with a session's cookie is refused; <see langword="null"/> if it is not.</summary>
    public static GatewayError? Refusal(Exchange exchange)
    {
        if (IsWebSocket(exchange)) // CORS does not apply to them, and pages cannot add headers
            return HasSameOrigin(exchange) ? null : Refuse("a WebSocket of a session needs an `Origin` that is its own host's");
        if (HasHeader(exchange) || IsOfSameOrigin(exchange))
            return null;
        if (IsNavigation(exchange) || (exchange.Field("Sec-Fetch-Site") == "none" && HttpMethods.IsGet(exchange.Request.Method)))
            return null; // a link, or what a person typed
        return Refuse($"a request of a session needs `{Header}: 1`, or must be sent by a page of the same origin");
    }

    private static bool IsWebSocket(Exchange exchange) =>
        exchange.IsExtendedConnect || exchange.Field("Upgrade")?.Contains("websocket", StringComparison.OrdinalIgnoreCase) == true;

    private static bool HasSameOrigin(Exchange exchange)
    {
        if (exchange.Field("Origin") is not { } origin)
            return false;
        var own = exchange.Scheme + "://" + exchange.Host;
        if (origin.Equals(own, StringComparison.OrdinalIgnoreCase))
            return true;
        return Uri.TryCreate(origin, UriKind.Absolute, out var theirs) // one of them may name the default port
            && Uri.TryCreate(own, UriKind.Absolute, out var ours)
            && theirs.AbsolutePath == "/"
            && Uri.Compare(theirs, ours, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0;
    }

    private static GatewayError Refuse(string detail) => new(GatewayErrorKind.Forbidden, detail);
}
