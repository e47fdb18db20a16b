using System.Buffers.Text;
using System.Diagnostics;
using System.Runtime;
using Microsoft.Win32.SafeHandles;

namespace Lintel.Transport.Loop;

/// <summary>Determines the cause of a stall: how much of the time the loop's thread ran, waited for a processor, and compiled.</summary>
/// <remarks>
/// Asking the system at each callback would cost every request; it is asked every 10 ms at most, at the beginning of a turn, and when a
/// stall is reported. A stall is therefore over-reported by at most those 10 ms. Thread rule: the loop's thread, but
/// <see cref="Begin"/> of another one's and <see cref="Cause"/> for a stall that is not over: the watch's.
/// </remarks>
internal sealed class StallMeter
{
    private static readonly long Interval = Stopwatch.Frequency / 100;

    /// <summary>Types, static state and pages come with their first use too, and are in no count of the compiler's.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    private readonly LoopWatch _watch;
    private readonly long _born = Stopwatch.GetTimestamp();
    private SafeFileHandle? _statistics; // of the loop's thread
    private int _thread;
    private long _sampled;
    private TimeSpan _ran;
    private TimeSpan _waited;
    private TimeSpan _compiled;

    public StallMeter(LoopWatch watch) => _watch = watch;

    /// <summary>On the loop's thread, once.</summary>
    public void Begin()
    {
        _thread = Libc.ThreadId();
        try
        {
            _statistics = File.OpenHandle(
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"/proc/self/task/{_thread}/schedstat")
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A kernel without CONFIG_SCHED_INFO: then only a pause of the whole process can be distinguished from a blocking callback.
        }
    }

    public void End() => _statistics?.Dispose();

    /// <summary>A turn begins.</summary>
    public void Sample(long now)
    {
        if (now - _sampled < Interval)
            return;
        _sampled = now;
        _ran = Libc.ThreadTime(_thread);
        _waited = Waited();
        _compiled = JitInfo.GetCompilationTime(currentThread: true);
    }

    /// <param name="entered">When the callback began.</param>
    /// <param name="now">Until when it held the loop.</param>
    /// <param name="isOwn">Whether this is the loop's thread.</param>
    public StallCause Cause(long entered, long now, bool isOwn)
    {
        var half = Stopwatch.GetElapsedTime(entered, now) / 2;
        if (Libc.ThreadTime(_thread) - _ran < half && (Waited() - _waited >= half || _watch.Silence(entered, now) >= half))
            return StallCause.NoProcessor;
        var isCompiling = isOwn && JitInfo.GetCompilationTime(currentThread: true) - _compiled >= half;
        return isCompiling || Stopwatch.GetElapsedTime(_born, now) < WarmUp ? StallCause.WarmUp : StallCause.Callback;
    }

    /// <summary>How long the thread has waited for a processor in all: the second number of proc(5)'s schedstat, in nanoseconds.</summary>
    private TimeSpan Waited()
    {
        if (_statistics is null)
            return TimeSpan.Zero;
        Span<byte> text = stackalloc byte[96];
        text = text[..RandomAccess.Read(_statistics, text, 0)];
        var rest = text[(text.IndexOf((byte)' ') + 1)..];
        return Utf8Parser.TryParse(rest, out long nanoseconds, out _)
            ? TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick)
            : TimeSpan.Zero;
    }
}
