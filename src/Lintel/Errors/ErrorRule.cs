using Microsoft.Extensions.Logging;

namespace Lintel.Errors;

/// <summary>When a failed attempt may be repeated on another instance.</summary>
internal enum RetryScope
{
    /// <summary>Never.</summary>
    None,

    /// <summary>Nothing of the request was sent to the instance, so any method may be retried.</summary>
    NothingSent,

    /// <summary>
    /// The instance may have processed the request: only requests that may be sent twice are retried, if a kept-alive connection ended
    /// under them, or if the service's <c>retry</c> says so.
    /// </summary>
    Idempotent,
}

/// <summary>The properties of an error kind.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Status">The HTTP status code for the client.</param>
/// <param name="Slug">The stable last part of the problem's <c>type</c>, and the <c>error.type</c> of metrics and logs.</param>
/// <param name="Title">The problem's <c>title</c>.</param>
/// <param name="ProxyStatus">The error type of RFC 9209 section 2.3, or <see langword="null"/> if only the client is at fault.</param>
/// <param name="Source">The party at fault.</param>
/// <param name="Retry">Whether another attempt may follow.</param>
/// <param name="Level">The level of its line in the error log.</param>
internal sealed record ErrorRule(
    GatewayErrorKind Kind,
    int Status,
    string Slug,
    string Title,
    string? ProxyStatus,
    ErrorSource Source,
    RetryScope Retry,
    LogLevel Level
)
{
    /// <summary>The equivalent gRPC status (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md).</summary>
    public int GrpcStatus { get; init; }

    /// <summary>The seconds after which the client may retry (<c>Retry-After</c>); <see langword="null"/> if unknown.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>The same kind with a status that the configuration or the application has chosen, and the equivalent gRPC status.</summary>
    public ErrorRule WithStatus(int status) =>
        this with
        {
            Status = status,
            GrpcStatus = status switch
            {
                400 => 3,
                401 => 16,
                404 => 5,
                409 => 10,
                429 => 8,
                501 => 12,
                503 => 14,
                504 => 4,
                >= 500 => 13,
                _ => 7,
            },
        };

    /// <summary>The problem's <c>type</c> (RFC 9457 section 3.1.1): a stable identifier, not an address to fetch.</summary>
    public string Type { get; } = "urn:problem-type:lintel:" + Slug;
}
