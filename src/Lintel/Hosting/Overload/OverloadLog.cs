using Microsoft.Extensions.Logging;

namespace Lintel.Hosting.Overload;

/// <summary>Log lines of load shedding: event ids 1240 to 1249.</summary>
internal static partial class OverloadLog
{
    [LoggerMessage(
        EventId = 1240,
        Level = LogLevel.Warning,
        Message = "The gateway is overloaded and sheds requests, those of low priority first: {Resource} {Value}, limit {Limit}"
    )]
    public static partial void Began(ILogger logger, string resource, string value, string limit);

    [LoggerMessage(
        EventId = 1241,
        Level = LogLevel.Information,
        Message = "The gateway is no longer overloaded and serves all requests: {Resource} {Value}, limit {Limit}"
    )]
    public static partial void Ended(ILogger logger, string resource, string value, string limit);

    [LoggerMessage(EventId = 1242, Level = LogLevel.Information, Message = "The gateway sheds no more requests: the configuration changed")]
    public static partial void SwitchedOff(ILogger logger);

    [LoggerMessage(EventId = 1243, Level = LogLevel.Error, Message = "The load of the gateway could not be measured")]
    public static partial void Failed(ILogger logger, Exception exception);
}
