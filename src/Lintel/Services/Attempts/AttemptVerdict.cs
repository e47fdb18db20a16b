using Lintel.Errors;

namespace Lintel.Services.Attempts;

/// <summary>What the end of an attempt says about its instance and service.</summary>
internal enum AttemptVerdict
{
    /// <summary>Nothing: the client or the gateway ended it.</summary>
    Neutral,

    /// <summary>The instance answered, with a status below 500.</summary>
    Success,

    /// <summary>The instance did not answer, or with a status from 500 to 599.</summary>
    Failure,
}

/// <summary>The one rule of success and failure: for ejection, circuit breakers and balancing.</summary>
internal static class AttemptVerdicts
{
    /// <param name="status">The status of the instance's response; <see langword="null"/> for none.</param>
    /// <param name="error">Why the attempt failed; <see langword="null"/> for a response of any status.</param>
    public static AttemptVerdict Of(int? status, GatewayError? error) =>
        error switch
        {
            null => status is null or < 500 ? AttemptVerdict.Success : AttemptVerdict.Failure,
            { Rule.Source: ErrorSource.Upstream } => AttemptVerdict.Failure,
            _ => AttemptVerdict.Neutral,
        };
}
