using Lintel.Config;
using Microsoft.Extensions.Logging;

namespace Lintel.Observability.Logs;

/// <summary>The access log in use. A reload that changes its settings puts another one in.</summary>
internal sealed class AccessLogSlot
{
    /// <summary>A sink that takes no more lines must not keep the process from ending.</summary>
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

    /// <summary>Lines lost since the gateway's start, whatever logs there were.</summary>
    public long Lost => _lost.Count;

    /// <inheritdoc cref="AccessLog.Open"/>
    public AccessLog Open(AccessLogConfig config) => AccessLog.Open(config, _lost, _time);

    /// <summary>
    /// Puts a log in. The one before writes what waits, then the new one begins: nothing is lost, and lines in one file stay in order.
    /// </summary>
    public void Replace(AccessLog next) => next.Start(Interlocked.Exchange(ref _current, next).CloseAsync());

    /// <summary>Writes what waits, as far as the sink takes it in time.</summary>
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
