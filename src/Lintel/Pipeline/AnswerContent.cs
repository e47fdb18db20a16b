using Lintel.Carriers;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// What content an answer may have by its status and its request (RFC 9110 sections 8.6, 15.3.5, 15.3.6 and 15.4.5): the one place that
/// says so, for whatever answers.
/// </summary>
internal static class AnswerContent
{
    /// <summary>Whether an answer of this status may have content at all.</summary>
    public static bool Allows(int status) =>
        status is >= 200 and not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified);

    /// <summary>Makes the length of an answer whose head is about to leave fit its status.</summary>
    /// <returns>Whether content may follow.</returns>
    public static bool Settle(ClientResponse response)
    {
        switch (response.StatusCode)
        {
            case < 200 or StatusCodes.Status204NoContent:
                response.ContentLength = null;
                return false;
            case StatusCodes.Status205ResetContent:
                response.ContentLength = 0;
                return false;
            case StatusCodes.Status304NotModified:
                return false; // a length would be that of the answer to an unconditional request
            default:
                return !HttpMethods.IsHead(response.Request.Method);
        }
    }

    /// <summary>
    /// Looks at an answer that its target holds for whole: a server that found out after the handler would cut it off without a word in the
    /// logs.
    /// </summary>
    public static GatewayError? Verify(Exchange exchange)
    {
        var response = exchange.Response;
        var hasContent = response.HasStarted ? MayHaveContent(response) : ResponsePhase.Enter(exchange);
        if (!hasContent || response.ContentLength is not { } length || length == exchange.ResponseBytes || exchange.WantsUpgrade)
            return null;
        return new GatewayError(
            GatewayErrorKind.Internal,
            Cause: new InvalidOperationException($"a response with a Content-Length of {length} bytes has {exchange.ResponseBytes}")
        );
    }

    private static bool MayHaveContent(ClientResponse response) =>
        Allows(response.StatusCode) && !HttpMethods.IsHead(response.Request.Method);
}
