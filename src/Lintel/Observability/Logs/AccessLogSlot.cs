using Lintel.Config;
using Microsoft.Extensions.Logging;

namespace Lintel.Observability.Logs;

/// <summary>The current access log. A reload that changes its settings replaces it.</summary>
internal sealed class AccessLogSlot
{
    /// <summary>A blocked sink must not prevent the process from ending.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly LostLines _lost;
    private readonly TimeProvider _time;
    private volatile AccessLog _current;

    public AccessLogSlot(TimeProvider time, ILogger logger)
    {
        _time = time;
        _lost = new LostLines("access log", logger, time);
        _current = Open(new AccessLogConfig { To = "none" });
    }

    public AccessLog Current => _current;

    /// <summary>Lines lost since the start of the gateway, by all logs together.</summary>
    public long Lost => _lost.Count;

    /// <inheritdoc cref="AccessLog.Open"/>
    public AccessLog Open(AccessLogConfig config) => AccessLog.Open(config, _lost, _time);

    /// <summary>
    /// Replaces the log. The previous one writes its queued lines, then the new one starts: nothing is lost, and lines in one file stay in
    /// order.
    /// </summary>
    public void Replace(AccessLog next) => next.Start(Interlocked.Exchange(ref _current, next).CloseAsync());

    /// <summary>Writes the queued lines, as far as the sink accepts them in time.</summary>
    public async Task CloseAsync()
    {
        var last = Interlocked.Exchange(ref _current, Open(new AccessLogConfig { To = "none" }));
        try
        {
            await last.CloseAsync().WaitAsync(Patience, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            last.Abandon();
        }
    }
}
