using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging;

namespace Lintel.Hosting;

/// <summary>Reports callbacks that block an event loop: each in the metrics, at most one per second in the log.</summary>
internal sealed partial class LoopStalls(GatewayMetrics metrics, TimeProvider time, ILogger<LoopStalls> logger)
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly Throttle _throttle = new(Silence, time);

    public void Watch(LoopGroup loops) => loops.Stalled += Report;

    internal void Report(LoopStall stall)
    {
        var route = (stall.Subject as Route)?.Name;
        if (stall.IsOver && stall.Cause != StallCause.NoProcessor)
            metrics.LoopStalled();
        if (stall is { IsOver: false, Cause: not StallCause.NoProcessor } && stall.Held >= LoopGroup.HangThreshold)
        {
            Hangs(logger, stall.Loop, stall.Held.TotalSeconds, route ?? "none");
            return; // one per second, whatever was logged before
        }

        if (!_throttle.MayLog(out _))
            return;
        if (stall.Cause == StallCause.NoProcessor)
            NoProcessor(logger, stall.Loop, stall.Held.TotalMilliseconds);
        else if (stall is { IsOver: true, Cause: StallCause.WarmUp })
            WarmedUp(logger, stall.Loop, stall.Held.TotalMilliseconds, route ?? "none");
        else if (stall.IsOver)
            Held(logger, stall.Loop, stall.Held.TotalMilliseconds, route ?? "none");
        else
            Holds(logger, stall.Loop, stall.Held.TotalMilliseconds, route ?? "none");
    }

    [LoggerMessage(
        EventId = 1210,
        Level = LogLevel.Warning,
        Message = "Event loop {Loop} was blocked for {Milliseconds:0} ms by one callback (route {Route}); its other connections waited"
    )]
    private static partial void Held(ILogger logger, int loop, double milliseconds, string route);

    [LoggerMessage(
        EventId = 1211,
        Level = LogLevel.Error,
        Message = "Event loop {Loop} has been blocked for {Milliseconds:0} ms by one callback (route {Route}) and its other connections "
            + "wait: code that runs there must not block"
    )]
    private static partial void Holds(ILogger logger, int loop, double milliseconds, string route);

    [LoggerMessage(
        EventId = 1212,
        Level = LogLevel.Critical,
        Message = "Event loop {Loop} has been blocked for {Seconds:0} s by one callback (route {Route}): its connections are stalled, and "
            + "the process is reported as hung until it returns; a configured watchdog restarts it"
    )]
    private static partial void Hangs(ILogger logger, int loop, double seconds, string route);

    [LoggerMessage(
        EventId = 1213,
        Level = LogLevel.Warning,
        Message = "Event loop {Loop} did not run for {Milliseconds:0} ms: the process was stopped, or its CPU quota or other processes on "
            + "the machine left it no CPU time"
    )]
    private static partial void NoProcessor(ILogger logger, int loop, double milliseconds);

    [LoggerMessage(
        EventId = 1214,
        Level = LogLevel.Information,
        Message = "Event loop {Loop} was blocked for {Milliseconds:0} ms while code was JIT-compiled at its first use "
            + "(route {Route}); this is temporary"
    )]
    private static partial void WarmedUp(ILogger logger, int loop, double milliseconds, string route);
}
