using Lintel.Observability.Logs;

namespace Lintel.Control.Status;

/// <summary>A kind of failure and its count.</summary>
/// <param name="Fingerprint">
/// Twelve hexadecimal digits derived from error, route, service, instance and exception; identical on every node.
/// </param>
/// <param name="Error">The error's slug, as in problems, metrics and logs.</param>
/// <param name="Route">The name of the route; <see langword="null"/> if none matched.</param>
/// <param name="Service">The service's name, if one was chosen.</param>
/// <param name="Instance">The instance that was tried last, if any.</param>
/// <param name="Exception">The type of the exception behind it, if any.</param>
/// <param name="FirstSeen">The time of the first occurrence.</param>
/// <param name="LastSeen">The time of the last occurrence.</param>
/// <param name="Count">The number of occurrences.</param>
/// <param name="LastTraceId">The trace id of the last request that failed so.</param>
/// <param name="LastDetail">A description of the last occurrence.</param>
internal sealed record ErrorStatus(
    string Fingerprint,
    string Error,
    string? Route,
    string? Service,
    string? Instance,
    string? Exception,
    DateTimeOffset FirstSeen,
    DateTimeOffset LastSeen,
    long Count,
    string LastTraceId,
    string? LastDetail
)
{
    internal static ErrorStatus Of(ErrorGroup group) =>
        new(
            group.Fingerprint,
            group.Slug,
            group.Key.Route,
            group.Key.Service,
            group.Key.Instance,
            group.Key.Exception?.FullName,
            group.FirstSeen,
            group.LastSeen,
            group.Count,
            group.LastTraceId,
            group.LastDetail is null ? null : ErrorLog.OneLine(group.LastDetail)
        );
}
