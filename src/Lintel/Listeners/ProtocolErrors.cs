using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>
/// What clients of a listener send that is no HTTP/2 or HTTP/3, and that Kestrel ends a connection or a stream for before there is a
/// request.
/// </summary>
internal sealed class ProtocolErrors
{
    /// <summary>A network scan can cause it thousands of times.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    private readonly string _listener;
    private readonly ListenerConnections _connections;
    private readonly GatewayMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Throttle _throttle;

    /// <param name="listener">The listener's name.</param>
    /// <param name="connections">Where a connection's fault is noted, for the requests that end with it.</param>
    /// <param name="metrics">Counts each.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log, at a limited rate.</param>
    public ProtocolErrors(string listener, ListenerConnections connections, GatewayMetrics metrics, TimeProvider time, ILogger logger)
    {
        (_listener, _connections, _metrics, _logger) = (listener, connections, metrics, logger);
        _throttle = new Throttle(Silence, time);
        metrics.ListenerOpened(listener);
    }

    /// <summary>A client has broken the protocol.</summary>
    /// <param name="connection">The id of its connection; <see langword="null"/> where the listener does not keep it.</param>
    /// <param name="fault">Kestrel's message.</param>
    public void Record(string? connection, Exception fault)
    {
        _metrics.ProtocolBroken(_listener);
        if (connection is not null)
            _connections.Note(connection, fault.Message);
        if (_throttle.MayLog(out var others))
            ProtocolLog.Broken(_logger, _connections.Address, fault.Message, others);
    }
}

/// <summary>Log lines of broken protocols: event ids 1190 to 1199.</summary>
internal static partial class ProtocolLog
{
    [LoggerMessage(
        EventId = 1190,
        Level = LogLevel.Information,
        Message = "Protocol error of a client of {Address}, its connection or stream was closed: {Problem} ({Others} others "
            + "since the last line)"
    )]
    public static partial void Broken(ILogger logger, string address, string problem, int others);
}
