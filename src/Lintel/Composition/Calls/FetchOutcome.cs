using Lintel.Composition.Answers;
using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>The outcome of a request to a service: an answer of any status, or an error, and the instance of the attempt.</summary>
internal readonly record struct FetchOutcome(CallAnswer? Answer, GatewayError? Error)
{
    /// <summary>The instance of the last attempt; <see langword="null"/> for none.</summary>
    public Instance? Instance { get; init; }

    /// <summary>Whether the request may have reached the service.</summary>
    public bool WasSent { get; init; }

    /// <summary>
    /// Whether it is unknown if the service performed the request: there is no answer, only that of a gateway that had none (RFC 9110
    /// sections 15.6.3 and 15.6.5), or a redirect as is common after a form was submitted (section 15.4.4).
    /// </summary>
    public bool IsUncertain => Answer is null ? WasSent : Answer.Status is 301 or 302 or 303 or 502 or 504;

    /// <summary>Whether the service performed the request: it answered with a success, or with a 303 that led to the answer.</summary>
    public bool IsDone => FollowsWrite || Answer is { IsSuccess: true };

    /// <summary>Whether the answer was reached by a 303 (See Other) of a request that changed something.</summary>
    public bool FollowsWrite { get; init; }

    public static implicit operator FetchOutcome(CallAnswer answer) => new(answer, null);

    public static implicit operator FetchOutcome(GatewayError error) => new(null, error);
}
