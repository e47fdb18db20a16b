using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>
/// Phase 5: processes a response's head before it is sent, for every source: a service, a composition, a fixed response, a redirect, an
/// error of the gateway.
/// </summary>
/// <remarks>
/// The writer of a response sets status and headers, calls <see cref="Enter"/>, and then sends the content if the response may have any. A
/// response that was not sent is replaced by a problem: <see cref="Restart"/> clears it, and the problem passes through the phase in turn.
/// The pipeline calls <see cref="Enter"/> for responses without content, which are sent when the request ends.
/// </remarks>
internal static class ResponsePhase
{
    /// <summary>Applies the route's response settings, once for each response.</summary>
    /// <returns>Whether content may follow (RFC 9110 sections 8.6, 15.3.5, 15.3.6 and 15.4.5).</returns>
    public static bool Enter(Exchange exchange)
    {
        var response = exchange.Response;
        if (!exchange.IsHeadSettled)
        {
            exchange.IsHeadSettled = true;
            if (exchange.Route is { } route)
            {
                route.ResponseHeaders.Apply(exchange, response.Headers);
                if (exchange.Cookies.Count > 0 && response.StatusCode < StatusCodes.Status500InternalServerError)
                    response.Headers.SetCookie = StringValues.Concat(response.Headers.SetCookie, exchange.Cookies);
                if (
                    exchange.Snapshot.ServerTiming is { } timing
                    && !route.ResponseHeaders.Removes(ServerTiming.HeaderName)
                    && timing.Render(exchange) is { } value
                )
                    response.Headers.Append(ServerTiming.HeaderName, value);
                foreach (var policy in route.Policies.Responding)
                    policy.Respond(exchange);
            }
        }

        return AnswerContent.Settle(response);
    }

    /// <summary>
    /// Clears everything that the gateway has set on a response that was not sent. What an application around the gateway has set is kept.
    /// </summary>
    public static void Restart(Exchange exchange)
    {
        exchange.Response.Restart();
        exchange.Cookies = default;
        exchange.IsHeadSettled = false;
    }
}
