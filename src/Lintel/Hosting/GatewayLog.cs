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
        Message = "Configuration refused, the one before goes on; problems: {Count}{Problems}"
    )]
    public static partial void Refused(ILogger logger, int count, string problems);

    [LoggerMessage(
        EventId = 1202,
        Level = LogLevel.Error,
        Message = "SERVING THE LAST GOOD CONFIGURATION, of {SavedAt:u} from {File}: the given files are not right, and are taken as "
            + "soon as they are; problems: {Count}{Problems}"
    )]
    public static partial void LastGoodServed(ILogger logger, DateTimeOffset savedAt, string file, int count, string problems);

    [LoggerMessage(
        EventId = 1203,
        Level = LogLevel.Error,
        Message = "The last good configuration, {File} of {SavedAt:u}, cannot be used either: what it draws on is not as it was{Problems}"
    )]
    public static partial void LastGoodRefused(ILogger logger, string file, DateTimeOffset savedAt, string problems);

    [LoggerMessage(EventId = 1204, Level = LogLevel.Error, Message = "The last good configuration cannot be read: {Reason}")]
    public static partial void LastGoodUnreadable(ILogger logger, string reason);

    [LoggerMessage(
        EventId = 1205,
        Level = LogLevel.Error,
        Message = "The configuration is live but could not be kept as the last good one: {Reason}"
    )]
    public static partial void NotKept(ILogger logger, string reason);

    [LoggerMessage(
        EventId = 1206,
        Level = LogLevel.Critical,
        Message = "Configuration refused because of a defect, the one before goes on"
    )]
    public static partial void Failed(ILogger logger, Exception cause);

    [LoggerMessage(
        EventId = 1207,
        Level = LogLevel.Critical,
        Message = "The new configuration is live; {Follower} failed to follow it: {Reason}"
    )]
    public static partial void FollowerFailed(ILogger logger, string follower, string reason, Exception cause);

    [LoggerMessage(
        EventId = 1208,
        Level = LogLevel.Critical,
        Message = "The configuration was refused, and what had followed it already could not be put back"
    )]
    public static partial void RollbackFailed(ILogger logger, Exception cause);

    [LoggerMessage(
        EventId = 1209,
        Level = LogLevel.Error,
        Message = "{Follower} failed when it was told of a reload; the reload is not affected: {Reason}"
    )]
    public static partial void ListenerFailed(ILogger logger, string follower, string reason, Exception cause);

    [LoggerMessage(
        EventId = 1230,
        Level = LogLevel.Information,
        Message = "Draining: {Active} requests active, {Connections} connections; waiting up to {Timeout}"
    )]
    public static partial void Draining(ILogger logger, long active, int connections, TimeSpan timeout);

    [LoggerMessage(EventId = 1231, Level = LogLevel.Information, Message = "Stopped: {Served} ended in time, {Cut} cut off")]
    public static partial void Stopped(ILogger logger, long served, long cut);

    [LoggerMessage(
        EventId = 1232,
        Level = LogLevel.Information,
        Message = "Draining: {Active} requests active; the host's server waits for them, and has the connections"
    )]
    public static partial void DrainingInHost(ILogger logger, long active);

    [LoggerMessage(
        EventId = 1220,
        Level = LogLevel.Warning,
        Message = "The configuration is live and probably not all as it is meant; warnings: {Count}{Warnings}"
    )]
    public static partial void Warned(ILogger logger, int count, string warnings);
}
