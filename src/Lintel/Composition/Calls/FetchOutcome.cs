using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>An answer of whatever status, or an error: how a request to a service ended, and the instance that was asked.</summary>
internal readonly record struct FetchOutcome(CallAnswer? Answer, GatewayError? Error)
{
    /// <summary>The instance that was asked last; <see langword="null"/> where none was.</summary>
    public Instance? Instance { get; init; }

    /// <summary>Whether the request may have reached the service.</summary>
    public bool WasSent { get; init; }

    /// <summary>
    /// Whether the service may have done what it was asked for and nobody knows: there is no answer, only a gateway's that had none (RFC
    /// 9110 sections 15.6.3 and 15.6.5), or one that leads elsewhere as it is usual after a form was sent (section 15.4.4).
    /// </summary>
    public bool IsUncertain => Answer is null ? WasSent : Answer.Status is 301 or 302 or 303 or 502 or 504;

    /// <summary>
    /// Whether the service has done what it was asked for: it says so with a success, or said so with a 303 that led to the answer.
    /// </summary>
    public bool IsDone => LedFromAWrite || Answer is { IsSuccess: true };

    /// <summary>Whether the answer was reached by a 303 (See Other) of a request that changed something.</summary>
    public bool LedFromAWrite { get; init; }

    public static implicit operator FetchOutcome(CallAnswer answer) => new(answer, null);

    public static implicit operator FetchOutcome(GatewayError error) => new(null, error);
}
