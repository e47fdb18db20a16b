using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>Log lines of the gateway: event ids 1200 to 1299.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(
        EventId = 1200,
        Level = LogLevel.Information,
        Message = "Configuration applied: {Routes} routes, {Services} services, {Milliseconds} ms"
    )]
    public static partial void Applied(ILogger logger, int routes, int services, long milliseconds);

    [LoggerMessage(
        EventId = 1201,
        Level = LogLevel.Error,
        Message = "Configuration refused, still serving the previous configuration; problems: {Count}{Problems}"
    )]
    public static partial void Refused(ILogger logger, int count, string problems);

    [LoggerMessage(
        EventId = 1202,
        Level = LogLevel.Error,
        Message = "SERVING THE LAST GOOD CONFIGURATION of {SavedAt:u} from {File}: the given files are not valid, and are applied "
            + "as soon as they are; problems: {Count}{Problems}"
    )]
    public static partial void LastGoodServed(ILogger logger, DateTimeOffset savedAt, string file, int count, string problems);

    [LoggerMessage(
        EventId = 1203,
        Level = LogLevel.Error,
        Message = "The last good configuration, {File} of {SavedAt:u}, cannot be used either: something that it depends on "
            + "has changed{Problems}"
    )]
    public static partial void LastGoodRefused(ILogger logger, string file, DateTimeOffset savedAt, string problems);

    [LoggerMessage(EventId = 1204, Level = LogLevel.Error, Message = "The last good configuration cannot be read: {Reason}")]
    public static partial void LastGoodUnreadable(ILogger logger, string reason);

    [LoggerMessage(
        EventId = 1205,
        Level = LogLevel.Error,
        Message = "The configuration is live but could not be saved as the last good configuration: {Reason}"
    )]
    public static partial void NotKept(ILogger logger, string reason);

    [LoggerMessage(
        EventId = 1206,
        Level = LogLevel.Critical,
        Message = "Configuration refused because of a bug in Lintel, still serving the previous configuration"
    )]
    public static partial void Failed(ILogger logger, Exception cause);

    [LoggerMessage(
        EventId = 1207,
        Level = LogLevel.Critical,
        Message = "The new configuration is live, but {Follower} failed to apply it: {Reason}"
    )]
    public static partial void FollowerFailed(ILogger logger, string follower, string reason, Exception cause);

    [LoggerMessage(
        EventId = 1208,
        Level = LogLevel.Critical,
        Message = "The configuration was refused, and the components that had already applied it could not be rolled back"
    )]
    public static partial void RollbackFailed(ILogger logger, Exception cause);

    [LoggerMessage(
        EventId = 1209,
        Level = LogLevel.Error,
        Message = "{Follower} failed to handle the notification of a reload; the reload is not affected: {Reason}"
    )]
    public static partial void ListenerFailed(ILogger logger, string follower, string reason, Exception cause);

    [LoggerMessage(
        EventId = 1230,
        Level = LogLevel.Information,
        Message = "Draining: {Active} requests active, {Connections} connections; waiting up to {Timeout}"
    )]
    public static partial void Draining(ILogger logger, long active, int connections, TimeSpan timeout);

    [LoggerMessage(EventId = 1231, Level = LogLevel.Information, Message = "Stopped: {Served} requests completed, {Cut} aborted")]
    public static partial void Stopped(ILogger logger, long served, long cut);

    [LoggerMessage(
        EventId = 1232,
        Level = LogLevel.Information,
        Message = "Draining: {Active} requests active; the host's server owns the connections and waits for the requests"
    )]
    public static partial void DrainingInHost(ILogger logger, long active);

    [LoggerMessage(EventId = 1220, Level = LogLevel.Warning, Message = "The configuration is live and has warnings: {Count}{Warnings}")]
    public static partial void Warned(ILogger logger, int count, string warnings);
}
