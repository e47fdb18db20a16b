using System.Net;
using Microsoft.Extensions.Primitives;

namespace Lintel.Observability.Logs;

/// <summary>
/// What the access log keeps of one request: references and numbers, copied when the request ends. What they look like is the writer's
/// work.
/// </summary>
internal readonly record struct AccessRecord
{
    /// <summary>When the request ended.</summary>
    public required DateTimeOffset Time { get; init; }

    public required string TraceId { get; init; }

    public required string Method { get; init; }

    /// <summary>The normalised path; of a target that was refused, as it was sent.</summary>
    public required string Path { get; init; }

    /// <summary>Empty, or begins with <c>?</c>; as it was sent, secrets and all.</summary>
    public string Query { get; init; }

    public required string Host { get; init; }

    public required string Protocol { get; init; }

    /// <summary><see langword="null"/> where the connection has no address.</summary>
    public IPAddress? Client { get; init; }

    /// <summary>The authenticated caller: the name of its client, otherwise its subject; <see langword="null"/> for none.</summary>
    public string? Caller { get; init; }

    public required int Status { get; init; }

    /// <summary>The total time in the gateway.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The sum of the attempts.</summary>
    public TimeSpan Upstream { get; init; }

    public int Attempts { get; init; }

    /// <summary>Bytes of the body that were read from the client.</summary>
    public long RequestBytes { get; init; }

    /// <summary>Bytes of the body that were handed to the client's connection.</summary>
    public long ResponseBytes { get; init; }

    public string? Route { get; init; }

    public string? Service { get; init; }

    public string? Instance { get; init; }

    /// <summary>The slug of the error's kind.</summary>
    public string? Error { get; init; }

    /// <summary>A description of the error in addition to its kind, which is safe to show.</summary>
    public string? Detail { get; init; }

    /// <summary>
    /// The status of a gRPC call, regardless of its HTTP status; <see langword="null"/> if it was not a call, or the status is unknown.
    /// </summary>
    public int? GrpcStatus { get; init; }

    public string? UserAgent { get; init; }

    /// <summary>Values of the headers that the log requires, in its order; <see langword="null"/> if it requires none.</summary>
    public StringValues[]? Headers { get; init; }

    /// <summary>Time that the gateway itself took.</summary>
    public TimeSpan Gateway => Duration > Upstream ? Duration - Upstream : TimeSpan.Zero;

    /// <summary>The characters that clients chose, which waiting lines keep in memory.</summary>
    public int Weight
    {
        get
        {
            var weight = Path.Length + (Query?.Length ?? 0) + Host.Length + (UserAgent?.Length ?? 0) + (Caller?.Length ?? 0);
            foreach (var values in Headers ?? [])
            {
                foreach (var value in values)
                    weight += value?.Length ?? 0;
            }

            return weight;
        }
    }
}
