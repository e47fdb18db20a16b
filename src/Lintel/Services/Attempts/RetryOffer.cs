using Lintel.Errors;
using Lintel.Services.Breaking;

namespace Lintel.Services.Attempts;

/// <summary>
/// The offer to an attempt to give up its response for another attempt. Made only if another attempt is possible, so that a response that
/// is given up is always followed by one.
/// </summary>
/// <param name="rules">The service's rules.</param>
/// <param name="retry">The number of the retry that would follow, from 1.</param>
/// <param name="mayReplay">Whether the request can be sent again; <see langword="null"/> if it always can.</param>
/// <param name="left">The time left for the request; <see langword="null"/> for no limit.</param>
/// <param name="time">The clock.</param>
internal sealed class RetryOffer(RetryRules rules, int retry, Func<bool>? mayReplay, Func<TimeSpan?> left, TimeProvider time)
{
    /// <summary>The status of the response that was given up; 0 for none.</summary>
    public int Status { get; private set; }

    /// <summary>The wait before the next attempt.</summary>
    public TimeSpan Delay { get; private set; }

    /// <summary>Decides on a response.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="grpcStatus">Its <c>grpc-status</c> in the head, if any.</param>
    /// <param name="retryAfter">Its <c>Retry-After</c>, if any: the service's own wish, which replaces the back-off.</param>
    /// <returns>The error to return in its place; <see langword="null"/> if the response is passed on.</returns>
    public GatewayError? Take(int status, int? grpcStatus, string? retryAfter)
    {
        if (!rules.Takes(status, grpcStatus) || mayReplay?.Invoke() == false)
            return null;
        var delay = RetryAfter.Parse(retryAfter, time.GetUtcNow()) ?? rules.Backoff(retry);
        if (left() <= delay || !rules.Budget!.TryWithdraw(time.GetTimestamp()))
            return null;
        (Status, Delay) = (status, delay);
        return new GatewayError(GatewayErrorKind.ResponseRetried, grpcStatus is { } grpc ? $"gRPC status {grpc}" : $"status {status}");
    }
}
