using Microsoft.AspNetCore.Http;

namespace Lintel.Errors;

/// <summary>Who is at fault.</summary>
internal enum ErrorSource
{
    /// <summary>The client sent something wrong or left.</summary>
    Client,

    /// <summary>The gateway or its configuration.</summary>
    Gateway,

    /// <summary>The service's instance.</summary>
    Upstream,
}

/// <summary>
/// A failure as a value: what happened, and what the operator may read about it. What the client may read is in <see cref="ErrorTable"/>.
/// </summary>
/// <param name="Kind">Decides status, problem type, <c>Proxy-Status</c>, retry scope and log level by way of
/// <see cref="ErrorTable"/>.</param>
/// <param name="Detail">A sentence that is safe to show to the client; <see langword="null"/> for none.</param>
/// <param name="Cause">The exception behind it, for the log alone.</param>
internal sealed record GatewayError(GatewayErrorKind Kind, string? Detail = null, Exception? Cause = null)
{
    /// <summary>Fields that the answer carries beside its own; one of a name that the answer has replaces it.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>
    /// What the error log says, where that is more than the client may read; <see langword="null"/> for <see cref="Detail"/>, or else the
    /// cause's message.
    /// </summary>
    internal string? LogDetail { get; init; }

    /// <summary>
    /// Whether a kept connection ended before anything of an answer came: the service has most likely not seen the request, and nobody
    /// knows for sure.
    /// </summary>
    internal bool EndedKeptConnection { get; init; }

    /// <summary>The same with its cause named in the log beside the detail.</summary>
    internal GatewayError WithCauseInLog() =>
        Detail is not null && Cause?.GetBaseException().Message is { } cause && !Detail.Contains(cause, StringComparison.Ordinal)
            ? this with
            {
                LogDetail = Detail + ": " + cause,
            }
            : this;

    /// <summary>The table's row of this kind.</summary>
    public ErrorRule Rule => ErrorTable.Get(Kind);

    /// <summary>
    /// What an exception means that nobody expected: a defect, or that there was no memory. <see cref="InsufficientMemoryException"/> is
    /// the budget's refusal.
    /// </summary>
    internal static GatewayError OfDefect(Exception e) =>
        new(e is OutOfMemoryException ? GatewayErrorKind.Overloaded : GatewayErrorKind.Internal, Cause: e);

    /// <summary>What the server's refusal to read on means.</summary>
    internal static GatewayError OfRequestBody(BadHttpRequestException e) =>
        e.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => new GatewayError(GatewayErrorKind.BodyTooLarge, Cause: e),
            StatusCodes.Status408RequestTimeout => new GatewayError(GatewayErrorKind.RequestTimeout, Cause: e),
            _ => new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e),
        };
}
