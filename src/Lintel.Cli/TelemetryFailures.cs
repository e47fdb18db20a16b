using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Lintel.Cli;

/// <summary>Writes to the error log when metrics or spans do not reach their receiver. Requests do not notice; operators should.</summary>
internal sealed partial class TelemetryFailures(TimeProvider time, ILogger logger) : EventListener
{
    /// <summary>A receiver that is down fails every export: one line in this time is enough.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _reportedAt;
    private bool _hasReported;
    private int _unreported;

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "OpenTelemetry-Exporter-OpenTelemetryProtocol")
            EnableEvents(eventSource, EventLevel.Warning);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        int before;
        lock (_lock)
        {
            _unreported++;
            if (_hasReported && time.GetElapsedTime(_reportedAt) < Interval)
                return;
            (_reportedAt, _hasReported, before, _unreported) = (time.GetTimestamp(), true, _unreported - 1, 0);
        }

        NotSent(logger, Text(eventData), before);
    }

    /// <summary>The first line: exceptions come with their whole stack.</summary>
    private static string Text(EventWrittenEventArgs written)
    {
        var text = string.Format(CultureInfo.InvariantCulture, written.Message ?? written.EventName ?? "", [.. written.Payload ?? []]);
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? text : text[..end];
    }

    [LoggerMessage(
        EventId = 3000,
        Level = LogLevel.Warning,
        Message = "Telemetry export failed: {Reason} ({More} more since the last such line)"
    )]
    private static partial void NotSent(ILogger logger, string reason, int more);
}
