using Microsoft.Extensions.Logging;

namespace Lintel.Services.Discovery;

/// <summary>Log messages about the discovery of instances.</summary>
internal static partial class DiscoveryLog
{
    [LoggerMessage(
        EventId = 1340,
        Level = LogLevel.Information,
        Message = "Service {Service} has {Count} instances by {Source}: {Added} added, {Removed} removed"
    )]
    public static partial void Changed(ILogger logger, string service, int count, string source, int added, int removed);

    [LoggerMessage(
        EventId = 1341,
        Level = LogLevel.Warning,
        Message = "Service {Service} gets no instances by {Source}, the last {Count} are still used: {Reason}"
    )]
    public static partial void Failed(ILogger logger, string service, string source, int count, string reason);

    [LoggerMessage(EventId = 1342, Level = LogLevel.Information, Message = "Service {Service} gets instances by {Source} again")]
    public static partial void Recovered(ILogger logger, string service, string source);

    [LoggerMessage(
        EventId = 1343,
        Level = LogLevel.Warning,
        Message = "Service {Service} has no instances: {Source} has given none in {Time}: {Reason}"
    )]
    public static partial void Missing(ILogger logger, string service, string source, string time, string reason);

    [LoggerMessage(
        EventId = 1344,
        Level = LogLevel.Warning,
        Message = "Service {Service} does not use all instances by {Source}: {Reason}"
    )]
    public static partial void Ignored(ILogger logger, string service, string source, string reason);

    [LoggerMessage(
        EventId = 1345,
        Level = LogLevel.Warning,
        Message = "Service {Service} gets {Count} instances by {Source} and uses {Maximum} of them (`maxInstances`)"
    )]
    public static partial void TooMany(ILogger logger, string service, string source, int count, int maximum);

    [LoggerMessage(
        EventId = 1346,
        Level = LogLevel.Warning,
        Message = "Service {Service} has no instances: {Source} has given none for {Time} (`keepFor`): {Reason}"
    )]
    public static partial void Expired(ILogger logger, string service, string source, string time, string reason);
}
