using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// Phase 5: what happens to a response's head before it leaves, whoever made it: a service, a composition, a fixed answer, a redirect, an
/// error of the gateway's own.
/// </summary>
/// <remarks>
/// Who writes a response sets its status and headers, calls <see cref="Enter"/>, and then sends what content it may. A response that was
/// never sent is replaced by a problem: <see cref="Restart"/> clears it, and the problem goes through the phase in its turn. The spine
/// calls <see cref="Enter"/> for responses that have no content and leave with the end of the request.
/// </remarks>
internal static class ResponsePhase
{
    /// <summary>Applies what the route says of responses, once for each response.</summary>
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
    /// Takes back all that the gateway has put into a response that was not sent; what an application around the gateway had set stays.
    /// </summary>
    public static void Restart(Exchange exchange)
    {
        exchange.Response.Restart();
        exchange.IsHeadSettled = false;
    }
}
