using Microsoft.Extensions.Logging;

namespace Lintel.Services.Health;

/// <summary>Log messages about the health of instances.</summary>
internal static partial class HealthLog
{
    [LoggerMessage(
        EventId = 1300,
        Level = LogLevel.Warning,
        Message = "Instance {Instance} of service {Service} is ejected for {Time}: {Reason}"
    )]
    public static partial void Ejected(ILogger logger, string instance, string service, TimeSpan time, string reason);

    [LoggerMessage(
        EventId = 1301,
        Level = LogLevel.Information,
        Message = "Instance {Instance} of service {Service} is no longer ejected: {Reason}"
    )]
    public static partial void Returned(ILogger logger, string instance, string service, string reason);

    [LoggerMessage(
        EventId = 1302,
        Level = LogLevel.Warning,
        Message = "Instance {Instance} of service {Service} is not ejected, because `maxEjected` of its instances are: {Reason}"
    )]
    public static partial void Kept(ILogger logger, string instance, string service, string reason);

    [LoggerMessage(EventId = 1303, Level = LogLevel.Warning, Message = "Instance {Instance} of service {Service} is unhealthy: {Reason}")]
    public static partial void Unhealthy(ILogger logger, string instance, string service, string reason);

    [LoggerMessage(EventId = 1304, Level = LogLevel.Information, Message = "Instance {Instance} of service {Service} is healthy again")]
    public static partial void Healthy(ILogger logger, string instance, string service);

    [LoggerMessage(
        EventId = 1305,
        Level = LogLevel.Information,
        Message = "Instance {Instance} of service {Service} is {Change} by {Client}: {Reason}"
    )]
    public static partial void ChangedByHand(ILogger logger, string instance, string service, string change, string client, string reason);
}
