using Lintel.Errors;

namespace Lintel.Services.Attempts;

/// <summary>How an attempt ended.</summary>
/// <param name="Verdict">What that says about the instance and its service.</param>
/// <param name="Status">The status of the response; <see langword="null"/> for none.</param>
/// <param name="Error">Why it failed; <see langword="null"/> for a response of any status.</param>
/// <param name="Timestamp">The clock's timestamp of the end.</param>
/// <param name="Duration">How long it took.</param>
internal readonly record struct AttemptEnd(AttemptVerdict Verdict, int? Status, GatewayError? Error, long Timestamp, TimeSpan Duration)
{
    /// <summary>How long the instance took to answer; <see langword="null"/> if only the whole attempt is known.</summary>
    public TimeSpan? Latency { get; init; }
}
