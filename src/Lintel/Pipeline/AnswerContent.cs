using Lintel.Carriers;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// Content rules of responses by status and request method (RFC 9110 sections 8.6, 15.3.5, 15.3.6 and 15.4.5), for every kind of target.
/// </summary>
internal static class AnswerContent
{
    /// <summary>Size of one write: written data is copied, and kept until the client has read it.</summary>
    private const int Piece = 64 * 1024;

    /// <summary>Whether a response of this status may have content.</summary>
    public static bool Allows(int status) =>
        status is >= 200 and not (StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified);

    /// <summary>Adjusts the length of a response to its status, just before the head is sent.</summary>
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
                return false; // a length would be that of the response to an unconditional request
            default:
                return !HttpMethods.IsHead(response.Request.Method);
        }
    }

    /// <summary>
    /// Checks the length of a response that its target considers complete. A server that detects a mismatch after the handler has returned
    /// cuts the response off without a log entry.
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

    /// <summary>
    /// Completes a response whose status and headers are set: enters the response phase, and sends the content if the response may have
    /// any.
    /// </summary>
    /// <param name="exchange">The exchange.</param>
    /// <param name="contentType">The media type of the content.</param>
    /// <param name="content">The content; may be empty.</param>
    public static async ValueTask<GatewayError?> WriteAsync(Exchange exchange, string contentType, ReadOnlyMemory<byte> content)
    {
        var response = exchange.Response;
        if (!Allows(response.StatusCode))
        {
            ResponsePhase.Enter(exchange);
            return null;
        }

        if (content.Length > 0)
            response.ContentType = contentType;
        response.ContentLength = content.Length;
        if (!ResponsePhase.Enter(exchange))
            return null;
        for (var rest = content; rest.Length > 0; )
        {
            var piece = rest[..Math.Min(Piece, rest.Length)];
            rest = rest[piece.Length..];
            var taken = await response.BodyWriter.WriteAsync(piece, exchange.Aborted).ConfigureAwait(false);
            exchange.ResponseBytes += piece.Length;
            if (taken.IsCompleted)
                return new GatewayError(GatewayErrorKind.ClientAborted); // it no longer reads
        }

        return null;
    }

    private static bool MayHaveContent(ClientResponse response) =>
        Allows(response.StatusCode) && !HttpMethods.IsHead(response.Request.Method);
}
