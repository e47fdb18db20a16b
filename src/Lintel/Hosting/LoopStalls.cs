using Lintel.Observability;
using Lintel.Pipeline;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>Tells of callbacks that hold an event loop: each in the metrics, in the log one a second at most.</summary>
internal sealed partial class LoopStalls(GatewayMetrics metrics, TimeProvider time, ILogger<LoopStalls> logger)
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private long? _lastTold;

    public void Watch(LoopGroup loops) => loops.Stalled += Tell;

    private void Tell(LoopStall stall)
    {
        var route = (stall.Subject as Route)?.Name;
        if (stall.IsOver)
            metrics.LoopStalled();
        lock (_lock)
        {
            if (_lastTold is { } last && time.GetElapsedTime(last) < Silence)
                return;
            _lastTold = time.GetTimestamp();
        }

        if (stall.IsOver)
            Held(logger, stall.Loop, stall.Held.TotalMilliseconds, route ?? "none");
        else
            Holds(logger, stall.Loop, stall.Held.TotalMilliseconds, route ?? "none");
    }

    [LoggerMessage(EventId = 1210, Level = LogLevel.Warning, Message = "Event loop {Loop} was held for {Milliseconds:0} ms by one callback (route {Route}); its other connections waited")]
    private static partial void Held(ILogger logger, int loop, double milliseconds, string route);

    [LoggerMessage(EventId = 1211, Level = LogLevel.Error, Message = "Event loop {Loop} has been held for {Milliseconds:0} ms by one callback (route {Route}) and its other connections wait: code that runs there must not block")]
    private static partial void Holds(ILogger logger, int loop, double milliseconds, string route);
}
