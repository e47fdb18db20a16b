namespace Lintel.Control.Explaining;

/// <summary>The calls that would be made, and how the answer would be built.</summary>
internal sealed record ExplainedComposition
{
    /// <summary>The deadline of the whole composition. A shorter one of the client takes precedence.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>
    /// The calls: those of the first list start at once, those of each further one wait for calls before them. A call starts as soon as its
    /// inputs are available, and does not wait for a whole level.
    /// </summary>
    public required IReadOnlyList<IReadOnlyList<ExplainedCall>> Levels { get; init; }

    /// <summary>The header fields that every call receives.</summary>
    public required IReadOnlyList<ExplainedHeader> Headers { get; init; }

    /// <summary>The answer.</summary>
    public required ExplainedShape Answer { get; init; }
}

/// <summary>A call of a composition.</summary>
internal sealed record ExplainedCall
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Method, service and path with query; values from other calls are shown in braces.</summary>
    public required string Request { get; init; }

    /// <summary>Why this request cannot be made; <see langword="null"/> if it can.</summary>
    public string? Problem { get; init; }

    /// <summary>The service's name.</summary>
    public required string Service { get; init; }

    /// <summary>The calls that it waits for, each with the reason.</summary>
    public required IReadOnlyList<ExplainedNeed> Needs { get; init; }

    /// <summary>Whether the composition can succeed without it.</summary>
    public required bool IsOptional { get; init; }

    /// <summary>Its timeout; <see langword="null"/> for what is left of the deadline.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// Whether its answer is parsed because an expression looks into it; otherwise it is checked and passed through byte for byte.
    /// </summary>
    public required bool IsParsed { get; init; }

    /// <summary>Its other settings, in words: condition, fallback, fan-out, join, hedging and so on.</summary>
    public required IReadOnlyList<string> Traits { get; init; }
}

/// <summary>Why a call waits for another.</summary>
/// <param name="Call">The other call.</param>
/// <param name="Because">The place of the reference: <c>request {user.id}</c>, <c>forEach orders[*].id</c>.</param>
internal sealed record ExplainedNeed(string Call, string Because);

/// <summary>The shape of a composed answer.</summary>
internal sealed record ExplainedShape
{
    /// <summary>The client of this variant; <see langword="null"/> for all clients.</summary>
    public string? Variant { get; init; }

    /// <summary>The status if all required calls succeed.</summary>
    public required int Status { get; init; }

    /// <summary>The media type.</summary>
    public required string MediaType { get; init; }

    /// <summary>The body, one line per property with the source of its value.</summary>
    public required IReadOnlyList<string> Body { get; init; }

    /// <summary>The header fields with the expressions of their values.</summary>
    public required IReadOnlyList<ExplainedHeader> Headers { get; init; }

    /// <summary>Whether <c>_errors</c> reports parts that failed.</summary>
    public required bool ReportsErrors { get; init; }
}
