using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>
/// The log of a listener's Kestrel: protocol errors of HTTP/2 and HTTP/3 are reported by <see cref="ProtocolErrors"/>; the rest is
/// forwarded.
/// </summary>
/// <remarks>
/// Kestrel (10.0) ends such a connection or stream without asking the application, and nothing but its log says so: connections' and
/// streams' errors at level Debug, and what its decoders
/// trip over at level Warning, with a stack for each. The stack is there for who sets the level of
/// <c>Microsoft.AspNetCore.Server.Kestrel</c> to Debug.
/// </remarks>
internal sealed class KestrelLog(ILoggerFactory inner, ProtocolErrors errors) : ILoggerFactory
{
    private const string Kestrel = "Microsoft.AspNetCore.Server.Kestrel";

    public ILogger CreateLogger(string categoryName) =>
        categoryName switch
        {
            Kestrel => new Listening(inner.CreateLogger(categoryName), errors, LogLevel.Warning),
            Kestrel + ".Http2" => new Listening(inner.CreateLogger(categoryName), errors, LogLevel.Debug),
            Kestrel + ".Http3" => new Listening(inner.CreateLogger(categoryName), errors, LogLevel.Debug) { NamesConnections = false },
            _ => inner.CreateLogger(categoryName),
        };

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    public void Dispose()
    {
        // The host's own factory is the host's to dispose of.
    }

    /// <param name="inner">The inner log.</param>
    /// <param name="errors">Where clients' faults go.</param>
    /// <param name="from">The minimum level of protocol errors.</param>
    private sealed class Listening(ILogger inner, ProtocolErrors errors, LogLevel from) : ILogger
    {
        /// <summary>
        /// Kestrel's <c>RequestProcessingEndError</c>, which has no id: an exception that its reading of a connection did not expect.
        /// </summary>
        private const string EndedAbnormally = "Connection processing ended abnormally.";

        /// <summary>
        /// Whether its connections are tracked by the listener: QUIC connections pass none of the steps that would remove them at their
        /// end.
        /// </summary>
        public bool NamesConnections { get; init; } = true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel >= from || inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (IsFault(logLevel, eventId, state, exception))
            {
                errors.Record(NamesConnections ? Value(state, "ConnectionId") : null, exception!);
                logLevel = LogLevel.Debug;
            }

            if (inner.IsEnabled(logLevel))
                inner.Log(logLevel, eventId, state, exception, formatter);
        }

        private static bool IsFault<TState>(LogLevel level, EventId id, TState state, Exception? exception) =>
            exception is not null
            && id.Name switch
            {
                "Http2ConnectionError" or "Http2StreamError" or "HPackDecodingError" or "Http3ConnectionError" or "QPackDecodingError" =>
                    true,
                "Http2StreamResetAbort" => Value(state, "Error") == "PROTOCOL_ERROR"
                    && !exception.Message.Contains("by the application", StringComparison.Ordinal),
                null => level == LogLevel.Warning && state?.ToString() == EndedAbnormally,
                _ => false,
            };

        private static string? Value<TState>(TState state, string name)
        {
            foreach (var (key, value) in state as IReadOnlyList<KeyValuePair<string, object?>> ?? [])
            {
                if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                    return value?.ToString();
            }

            return null;
        }
    }
}
