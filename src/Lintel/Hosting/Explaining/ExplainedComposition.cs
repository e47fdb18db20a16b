namespace Lintel.Hosting.Explaining;

/// <summary>What would be asked of whom, and what the answer would be made of.</summary>
internal sealed record ExplainedComposition
{
    /// <summary>For the whole answer. A shorter one of the client holds instead.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>
    /// The calls: those of the first list start at once, those of each further one wait for calls before them. A call starts as soon as
    /// what it needs is there, and waits for no level as a whole.
    /// </summary>
    public required IReadOnlyList<IReadOnlyList<ExplainedCall>> Levels { get; init; }

    /// <summary>The header fields that every call gets.</summary>
    public required IReadOnlyList<ExplainedHeader> Headers { get; init; }

    /// <summary>The answer.</summary>
    public required ExplainedShape Answer { get; init; }
}

/// <summary>A call of a composition.</summary>
internal sealed record ExplainedCall
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Method, service and path with query; what other calls give stands in braces.</summary>
    public required string Request { get; init; }

    /// <summary>Why this request cannot be made; <see langword="null"/> where it can.</summary>
    public string? Problem { get; init; }

    /// <summary>The service's name.</summary>
    public required string Service { get; init; }

    /// <summary>The calls that it waits for, each with what makes it wait.</summary>
    public required IReadOnlyList<ExplainedNeed> Needs { get; init; }

    /// <summary>Whether the answer can do without it.</summary>
    public required bool IsOptional { get; init; }

    /// <summary>How long it may take; <see langword="null"/> for what is left of the deadline.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// Whether its answer is parsed because an expression looks into it; otherwise it is checked and passes byte for byte.
    /// </summary>
    public required bool IsParsed { get; init; }

    /// <summary>What else holds for it, in words: condition, fallback, fan-out, join, hedging and so on.</summary>
    public required IReadOnlyList<string> Traits { get; init; }
}

/// <summary>Why a call waits for another.</summary>
/// <param name="Call">The other call.</param>
/// <param name="Because">Where it is referred to: <c>request {user.id}</c>, <c>forEach orders[*].id</c>.</param>
internal sealed record ExplainedNeed(string Call, string Because);

/// <summary>The shape of a composed answer.</summary>
internal sealed record ExplainedShape
{
    /// <summary>The client whose variant this is; <see langword="null"/> for everybody's.</summary>
    public string? Variant { get; init; }

    /// <summary>The status, where all required calls succeed.</summary>
    public required int Status { get; init; }

    /// <summary>The media type.</summary>
    public required string MediaType { get; init; }

    /// <summary>The body, a line for each property with what gives its value.</summary>
    public required IReadOnlyList<string> Body { get; init; }

    /// <summary>The header fields with the expressions that give their values.</summary>
    public required IReadOnlyList<ExplainedHeader> Headers { get; init; }

    /// <summary>Whether <c>_errors</c> tells of parts that failed.</summary>
    public required bool TellsErrors { get; init; }
}
