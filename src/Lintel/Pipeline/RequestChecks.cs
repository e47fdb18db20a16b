using Lintel.Carriers;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>Checks of requests that are syntactically valid.</summary>
internal static class RequestChecks
{
    /// <summary>Methods that services of an unknown route may support, for <c>Allow</c>.</summary>
    private const string UsualMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    /// <summary>
    /// RFC 9110 section 7.4: a request is misdirected if the scheme of its target differs from that of its connection, unless a trusted
    /// proxy vouches for it.
    /// </summary>
    public static GatewayError? Scheme(Exchange exchange)
    {
        var request = exchange.Request;
        if (exchange.Framing?.ClaimedScheme is not { } claimed || claimed == request.Scheme)
            return null;
        if (claimed is not ("http" or "https"))
            return new GatewayError(GatewayErrorKind.Misdirected, "only the schemes http and https are supported");
        if (exchange.TrustedPeer is not { } proxies || Denies(proxies, request, claimed))
            return new GatewayError(
                GatewayErrorKind.Misdirected,
                $"the target's scheme is {claimed}, the connection's is {request.Scheme}"
            );
        request.Scheme = claimed;
        return null;
    }

    /// <summary>Refuses TRACE: it would echo what a route adds for its service, including secrets.</summary>
    public static GatewayError? Trace(Exchange exchange)
    {
        if (!HttpMethods.IsTrace(exchange.Request.Method))
            return null;
        return RouteMatch.NotAllowed(UsualMethods);
    }

    /// <summary>
    /// RFC 9110 section 9.3.7: <c>OPTIONS *</c> addresses the server as a whole, and <c>OPTIONS http://host</c> is the same on its last hop
    /// (RFC 9112 section 3.2.4).
    /// </summary>
    /// <returns>Whether the request has been answered.</returns>
    public static bool AnswersOptions(Exchange exchange)
    {
        if (!HttpMethods.IsOptions(exchange.Request.Method) || !(exchange.RawTarget == "*" || IsAuthority(exchange.RawTarget)))
            return false;
        AnswerOptions(exchange, UsualMethods);
        return true;
    }

    /// <summary>RFC 9110 section 7.6.2: a request that may not be forwarded any further is answered here.</summary>
    /// <returns>Whether the request has been answered.</returns>
    public static bool AnswersLastHop(Exchange exchange)
    {
        if (!HttpMethods.IsOptions(exchange.Request.Method) || ForwardsLeft(exchange.Request) != 0)
            return false;
        AnswerOptions(exchange, exchange.Methods is { Count: > 0 } methods ? string.Join(", ", methods) : UsualMethods);
        return true;
    }

    /// <summary>
    /// How many more times an OPTIONS request may be forwarded; <see langword="null"/> without a limit, and for other methods.
    /// </summary>
    public static long? ForwardsLeft(ClientRequest request) =>
        HttpMethods.IsOptions(request.Method)
        && request.Headers["Max-Forwards"] is [{ } text]
        && long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var left)
            ? left
            : null;

    /// <summary>Detects a loop: whether <c>Via</c> contains the gateway's own name.</summary>
    public static GatewayError? Loop(Exchange exchange)
    {
        foreach (var via in exchange.Request.Headers.Via)
        {
            if (
                via is not null
                && via.Contains(exchange.Snapshot.Identity.Via, StringComparison.OrdinalIgnoreCase)
                && NamesGateway(via, exchange.Snapshot.Identity.Via)
            )
                return new GatewayError(GatewayErrorKind.LoopDetected);
        }

        return null;
    }

    /// <summary>Refuses a body with a declared length that exceeds the limit, before it is read.</summary>
    public static GatewayError? Body(Exchange exchange)
    {
        if (!exchange.HasBody)
            return null;
        var limit = exchange.Request.LimitBody(exchange.Route!.BodyLimit);
        return exchange.Request.ContentLength > limit
            ? new GatewayError(GatewayErrorKind.BodyTooLarge, $"the limit is {limit} bytes")
            : null;
    }

    private static void AnswerOptions(Exchange exchange, string allow)
    {
        exchange.Response.StatusCode = StatusCodes.Status204NoContent;
        exchange.Response.Headers.Allow = allow;
        exchange.Response.Headers.CacheControl = "no-store";
    }

    private static bool IsAuthority(string target)
    {
        var scheme =
            target.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? 7
            : target.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? 8
            : 0;
        return scheme > 0 && !target.AsSpan(scheme).ContainsAny('/', '?');
    }

    /// <summary>Whether the nearest proxy reports another scheme than the target.</summary>
    private static bool Denies(TrustedProxies proxies, ClientRequest request, string claimed)
    {
        if (
            !(
                proxies.TrustsProto
                    ? request.Headers.ContainsKey("X-Forwarded-Proto")
                    : proxies.TrustsForwarded && request.Headers.ContainsKey("Forwarded")
            )
        )
            return false;
        return proxies.Scheme(request) != claimed;
    }

    /// <summary>RFC 9110 section 7.6.3: items of protocol, name and optional comment.</summary>
    private static bool NamesGateway(string via, string name)
    {
        foreach (var item in via.Split(','))
        {
            var words = item.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[1].Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
