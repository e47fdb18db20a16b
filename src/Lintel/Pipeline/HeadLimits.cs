using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>
/// A listener's limits for heads of HTTP/2 and HTTP/3. Kestrel is given more room than they say: it would reset what is beyond without an
/// answer or a line in the log.
/// </summary>
internal static class HeadLimits
{
    /// <summary>What surrounds method and target in a request line of HTTP/1.1, for one measure in all versions.</summary>
    private const int RestOfLine = 10;

    /// <summary>
    /// Why the head is refused; <see langword="null"/> where it is within the limits, and for HTTP/1.1, whose bytes are counted as they
    /// come.
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
                size += name.Length + (value?.Length ?? 0) + 4; // a colon, a space, the line's end
                count++;
            }
        }

        return size > limits.Headers || count > limits.HeaderCount ? new GatewayError(GatewayErrorKind.HeadTooLarge) : null;
    }
}
