namespace Lintel.Errors;

/// <summary>What a request's method says of sending it twice: the one place that knows (RFC 9110 section 9.2).</summary>
internal static class Idempotency
{
    /// <summary>Whether a method changes nothing (section 9.2.1). TRACE is refused before anybody asks.</summary>
    public static bool IsSafe(string method) => method is "GET" or "HEAD" or "OPTIONS";

    /// <summary>
    /// Whether sending a request twice has the effect of sending it once (section 9.2.2), so that it may be sent again where the service
    /// may have seen it.
    /// </summary>
    public static bool Allows(string method) => IsSafe(method) || method is "PUT" or "DELETE";
}
