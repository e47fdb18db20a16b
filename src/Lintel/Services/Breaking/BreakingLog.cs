using Microsoft.Extensions.Logging;

namespace Lintel.Services.Breaking;

/// <summary>Log messages of circuit breakers.</summary>
internal static partial class BreakingLog
{
    [LoggerMessage(EventId = 1320, Level = LogLevel.Warning, Message = "Circuit breaker of service {Service} is open for {Time}: {Reason}")]
    public static partial void Opened(ILogger logger, string service, TimeSpan time, string reason);

    [LoggerMessage(
        EventId = 1321,
        Level = LogLevel.Information,
        Message = "Circuit breaker of service {Service} is half-open: it admits {Probes} probes"
    )]
    public static partial void HalfOpen(ILogger logger, string service, int probes);

    [LoggerMessage(EventId = 1322, Level = LogLevel.Information, Message = "Circuit breaker of service {Service} is closed")]
    public static partial void Closed(ILogger logger, string service);
}
