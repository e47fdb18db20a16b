namespace Lintel.Observability;

/// <summary>What the access log keeps of one request. Copied out when the request ends, so that nothing of the request lives on.</summary>
internal readonly record struct AccessRecord
{
    public required DateTimeOffset Time { get; init; }

    public required string TraceId { get; init; }

    public required string Method { get; init; }

    /// <summary>The normalised path, without query: queries carry secrets.</summary>
    public required string Path { get; init; }

    public required string Host { get; init; }

    public required string Protocol { get; init; }

    public required string Client { get; init; }

    public required int Status { get; init; }

    public required TimeSpan Duration { get; init; }

    public string? Route { get; init; }

    public string? Service { get; init; }

    public string? Instance { get; init; }

    public TimeSpan Upstream { get; init; }

    public int Attempts { get; init; }

    /// <summary>The slug of the error's kind.</summary>
    public string? Error { get; init; }

    public string? UserAgent { get; init; }
}
