using Microsoft.AspNetCore.Http;

namespace Lintel.Errors;

/// <summary>The party at fault.</summary>
internal enum ErrorSource
{
    /// <summary>The client sent an invalid request or disconnected.</summary>
    Client,

    /// <summary>The gateway or its configuration.</summary>
    Gateway,

    /// <summary>The service's instance.</summary>
    Upstream,
}

/// <summary>
/// An error as a value: its kind, and the details for the operator. What is shown to clients is defined in <see cref="ErrorTable"/>.
/// </summary>
/// <param name="Kind">Determines status, problem type, <c>Proxy-Status</c>, retry scope and log level through
/// <see cref="ErrorTable"/>.</param>
/// <param name="Detail">A sentence that is safe to show to the client; <see langword="null"/> for none.</param>
/// <param name="Cause">The underlying exception, for the log only.</param>
internal sealed record GatewayError(GatewayErrorKind Kind, string? Detail = null, Exception? Cause = null)
{
    /// <summary>Additional fields of the response. A field replaces one of the same name.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The challenges of a 401 or 403, one for each line of <c>WWW-Authenticate</c> (RFC 9110 section 11.6.1).</summary>
    internal IReadOnlyList<string> Challenges { get; init; } = [];

    /// <summary>What is wrong in detail, for the problem's <c>errors</c> (as in RFC 9457 section 3); empty for none.</summary>
    internal IReadOnlyList<RequestFault> Faults { get; init; } = [];

    /// <summary>
    /// The text for the error log, if it may contain more than the client may read; <see langword="null"/> for <see cref="Detail"/>, or
    /// otherwise the cause's message.
    /// </summary>
    internal string? LogDetail { get; init; }

    /// <summary>
    /// Whether a kept-alive connection ended before any part of a response arrived: the service has most likely not received the request,
    /// but this is not certain.
    /// </summary>
    internal bool EndedKeptConnection { get; init; }

    /// <summary>
    /// Whether the instance reported that it did not process the request: REFUSED_STREAM (RFC 9113 section 8.7). Any method may be sent
    /// again.
    /// </summary>
    internal bool IsNotProcessed { get; init; }

    /// <summary>The same error with its cause added to the detail in the log.</summary>
    internal GatewayError WithCauseInLog() =>
        Detail is not null && Cause?.GetBaseException().Message is { } cause && !Detail.Contains(cause, StringComparison.Ordinal)
            ? this with
            {
                LogDetail = Detail + ": " + cause,
            }
            : this;

    /// <summary>The row of this kind in the table, or the error's own.</summary>
    public ErrorRule Rule => OwnRule ?? ErrorTable.Get(Kind);

    /// <summary>The row of an error whose status its creator has chosen; <see langword="null"/> for the table's.</summary>
    internal ErrorRule? OwnRule { get; init; }

    /// <summary>
    /// The error of an unexpected exception: a defect, or an out-of-memory condition. <see cref="InsufficientMemoryException"/> is a
    /// refusal by the budget.
    /// </summary>
    internal static GatewayError OfDefect(Exception e) =>
        new(e is OutOfMemoryException ? GatewayErrorKind.Overloaded : GatewayErrorKind.Internal, Cause: e);

    /// <summary>The error of a request body that the server refuses to read further.</summary>
    internal static GatewayError OfRequestBody(BadHttpRequestException e) =>
        e.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => new GatewayError(GatewayErrorKind.BodyTooLarge, Cause: e),
            StatusCodes.Status408RequestTimeout => new GatewayError(GatewayErrorKind.RequestTimeout, Cause: e),
            _ => new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e),
        };
}
