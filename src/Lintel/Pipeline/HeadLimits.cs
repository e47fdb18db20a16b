using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>
/// Limits of a listener for the heads of HTTP/2 and HTTP/3 requests. Kestrel's own limits are set higher: it resets a stream that exceeds
/// them without a response or a log entry.
/// </summary>
internal static class HeadLimits
{
    /// <summary>Length of a request line in HTTP/1.1 without method and target, so that all versions are measured alike.</summary>
    private const int RestOfLine = 10;

    /// <summary>
    /// Why the head is refused; <see langword="null"/> if it is within the limits, and for HTTP/1.1, whose bytes are counted as they
    /// arrive.
    /// </summary>
    public static GatewayError? Check(Exchange exchange)
    {
        var request = exchange.Request;
        if (exchange.Listener?.Limits is not { } limits || !request.IsStream)
            return null;
        if (request.Method.Length + exchange.RawTarget.Length + RestOfLine > limits.RequestLine)
            return new GatewayError(GatewayErrorKind.TargetTooLong);
        var (size, count) = (0L, 0);
        foreach (var (name, values) in request.Headers)
        {
            foreach (var value in values)
            {
                size += name.Length + (value?.Length ?? 0) + 4; // a colon, a space, the line ending
                count++;
            }
        }

        return size > limits.Headers || count > limits.HeaderCount ? new GatewayError(GatewayErrorKind.HeadTooLarge) : null;
    }
}
