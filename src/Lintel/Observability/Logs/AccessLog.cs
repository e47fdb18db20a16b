using System.Buffers;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Lintel.Config;
using Microsoft.Extensions.Logging;

namespace Lintel.Observability.Logs;

/// <summary>Writes one line for each request, off the request path: a request only puts a record into a bounded queue.</summary>
/// <remarks>
/// A dedicated thread formats and writes: a disk or pipe that blocks must not block a thread that serves requests. When the queue is full,
/// lines are dropped and counted (<see cref="LostLines"/>).
/// </remarks>
internal sealed class AccessLog
{
    /// <summary>The log category of its own problems. Users filter by it: it does not follow the class when that moves.</summary>
    public const string Category = "Lintel.Observability.AccessLog";

    /// <summary>
    /// Records that may wait: a second's traffic of two busy cores, for as long as the writer may not get one of them; some 5 MiB.
    /// </summary>
    public const int QueueLength = 32_768;

    /// <summary>
    /// Characters of paths, queries and headers that may wait: 16 MiB. Long addresses and a slow disk together must not cost the gateway
    /// its memory.
    /// </summary>
    public const int QueueWeight = 8 << 20;

    private const int BatchBytes = 60 * 1024;

    /// <summary>Lines that come within this time are written together: a handful of writes a second instead of thousands.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a log waits for its predecessor, so that lines in one file stay in order.</summary>
    private static readonly TimeSpan Handover = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Continuations run synchronously: they only wake the writer, which must not have to wait for a thread of a busy pool.
    /// </summary>
    private readonly Channel<AccessRecord> _queue = Channel.CreateBounded<AccessRecord>(
        new BoundedChannelOptions(QueueLength) { SingleReader = true, AllowSynchronousContinuations = true }
    );
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closing = new();
    private readonly double _sample;
    private readonly LineFormat? _format;
    private readonly LogSink? _sink;
    private readonly LostLines _lost;
    private long _waiting;
    private volatile bool _isClosed;

    /// <param name="config">Its settings.</param>
    /// <param name="sink">Where lines go; <see langword="null"/> for a log that is turned off.</param>
    /// <param name="lost">Counts lines that are not written, and reports failures.</param>
    /// <exception cref="FormatException">The template has a mistake.</exception>
    public AccessLog(AccessLogConfig config, LogSink? sink, LostLines lost)
    {
        _sink = sink;
        _lost = lost;
        _sample = config.Sample / 100;
        _format = sink is null ? null : LineFormat.Create(config);
        Headers = _format?.Headers ?? [];
        if (sink is null)
            _finished.SetResult();
    }

    /// <summary>Headers whose values are required in records.</summary>
    public string[] Headers { get; }

    public bool IsEnabled => _format is not null;

    /// <summary>Opens the sink.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be opened.</exception>
    /// <exception cref="FormatException">The template has a mistake.</exception>
    public static AccessLog Open(AccessLogConfig config, LostLines lost, TimeProvider time)
    {
        LogSink? sink = config.To switch
        {
            "none" => null,
            "stdout" => StreamSink.Standard(1),
            "stderr" => StreamSink.Standard(2),
            var file => new LogFile(file, config.Rotate, time, lost),
        };
        try
        {
            return new AccessLog(config, sink, lost);
        }
        catch
        {
            sink?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Whether a request gets a line. By its trace id, so that all gateways which it passes decide alike; errors always get theirs.
    /// </summary>
    public bool Keeps(int status, bool isError, string traceId) => _sample >= 1 || isError || status >= 500 || Share(traceId) < _sample;

    /// <summary>Queues a record, or drops and counts it if the queue is full.</summary>
    /// <returns>False if the log is closed because it was replaced.</returns>
    public bool TryWrite(in AccessRecord record)
    {
        var weight = record.Weight;
        if (Interlocked.Add(ref _waiting, weight) <= QueueWeight && _queue.Writer.TryWrite(record))
            return true;
        Interlocked.Add(ref _waiting, -weight);
        if (_isClosed)
            return false;
        _lost.Add(1);
        return true;
    }

    /// <summary>Begins to write when the log before has ended, or does not end.</summary>
    public void Start(Task previous)
    {
        if (_sink is not null)
            new Thread(() => Run(previous)) { IsBackground = true, Name = "lintel access log" }.Start();
    }

    /// <summary>Reopens the file, which may have been moved.</summary>
    public void Reopen() => _sink?.Reopen();

    /// <summary>Completes the queue. The task completes when the queued records are written and the sink is closed.</summary>
    public Task CloseAsync()
    {
        _isClosed = true;
        _queue.Writer.TryComplete();
        _closing.TrySetResult();
        return _finished.Task;
    }

    /// <summary>Closes a log that was never started.</summary>
    public void Discard() => _sink?.Dispose();

    /// <summary>Gives up what still waits.</summary>
    public void Abandon()
    {
        while (_queue.Reader.TryRead(out _))
            _lost.Add(1);
    }

    /// <summary>
    /// A number from 0 to 1 that is the same on every node of the trace. Hashed, because ids of clients may not be random.
    /// </summary>
    private static double Share(string traceId) =>
        (XxHash3.HashToUInt64(MemoryMarshal.AsBytes(traceId.AsSpan())) >> 11) * (1.0 / (1UL << 53));

    private void Run(Task previous)
    {
        Task.WhenAny(previous, Task.Delay(Handover)).GetAwaiter().GetResult();
        var lines = new ArrayBufferWriter<byte>(64 * 1024);
        while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            var count = 0;
            try
            {
                while (lines.WrittenCount < BatchBytes && _queue.Reader.TryRead(out var record))
                {
                    count++;
                    Interlocked.Add(ref _waiting, -record.Weight);
                    _format!.Write(lines, record);
                }

                _sink!.Write(lines.WrittenSpan);
            }
            catch (Exception e)
            {
                // A full disk, a closed pipe, or a defect here: the gateway goes on serving, and counts the lost lines.
                _lost.Add(count);
                _lost.Report(e.Message);
            }

            lines.ResetWrittenCount();
            if (lines.Capacity > 1 << 20)
                lines = new ArrayBufferWriter<byte>(64 * 1024);
            if (_queue.Reader.Count < QueueLength / 4)
                _closing.Task.Wait(Gathering);
        }

        _sink!.Dispose();
        _finished.SetResult();
    }
}

/// <summary>Lines that are lost because the queue was full or the sink failed: of all logs since the gateway's start.</summary>
/// <param name="log">What the logs are called.</param>
/// <param name="logger">The log for failures.</param>
/// <param name="time">The clock.</param>
internal sealed partial class LostLines(string log, ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _count;
    private long? _loggedAt;

    public long Count => Interlocked.Read(ref _count);

    public void Add(long count) => Interlocked.Add(ref _count, count);

    /// <summary>Reports that the log cannot be written, at most once per minute.</summary>
    public void Report(string reason)
    {
        lock (_lock)
        {
            if (_loggedAt is { } last && time.GetElapsedTime(last) < Pause)
                return;
            _loggedAt = time.GetTimestamp();
        }

        Failed(logger, log, reason, Count);
    }

    [LoggerMessage(
        EventId = 1400,
        Level = LogLevel.Error,
        Message = "The {Log} cannot be written: {Reason}; lines lost since the start: {Lost}"
    )]
    private static partial void Failed(ILogger logger, string log, string reason, long lost);
}
