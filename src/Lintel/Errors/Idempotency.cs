namespace Lintel.Errors;

/// <summary>Whether a method is safe or idempotent (RFC 9110 section 9.2).</summary>
internal static class Idempotency
{
    /// <summary>Whether a method is safe (section 9.2.1). TRACE is refused earlier.</summary>
    public static bool IsSafe(string method) => method is "GET" or "HEAD" or "OPTIONS";

    /// <summary>Whether a method is idempotent (section 9.2.2), so that it may be sent again if the service may have received it.</summary>
    public static bool Allows(string method) => IsSafe(method) || method is "PUT" or "DELETE";
}
