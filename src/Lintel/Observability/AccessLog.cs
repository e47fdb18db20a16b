using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Channels;
using Lintel.Config;

namespace Lintel.Observability;

/// <summary>Writes one JSON line for each request, off the request path: a request only puts a record into a bounded queue.</summary>
/// <remarks>When the queue is full, lines are dropped and counted (<see cref="Dropped"/>): a slow disk must not slow requests down.</remarks>
internal sealed class AccessLog : IAsyncDisposable
{
    /// <summary>Records that may wait: about 0.4 s of one core's traffic at 20 000 requests a second, some 2 MiB.</summary>
    private const int QueueLength = 8192;

    private static readonly JsonWriterOptions LineOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private readonly Channel<AccessRecord> _queue;
    private readonly Stream? _stream;
    private readonly Task _writing;
    private long _dropped;

    private AccessLog(Stream? stream)
    {
        _stream = stream;
        _queue = Channel.CreateBounded<AccessRecord>(
            new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true },
            _ => Interlocked.Increment(ref _dropped));
        _writing = stream is null ? Task.CompletedTask : WriteAllAsync(stream);
    }

    /// <summary>Lines that were lost because the queue was full or the sink failed.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public bool IsEnabled => _stream is not null;

    /// <summary>Opens the sink.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be opened.</exception>
    public static AccessLog Open(AccessLogConfig config) => new(config.To switch
    {
        "none" => null,
        "stdout" => Console.OpenStandardOutput(),
        "stderr" => Console.OpenStandardError(),
        var file => new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0),
    });

    public void Write(in AccessRecord record)
    {
        if (_stream is not null && !_queue.Writer.TryWrite(record))
            Interlocked.Increment(ref _dropped);
    }

    /// <summary>Writes what waits and closes the sink.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _writing.ConfigureAwait(false);
        if (_stream is not null)
            await _stream.DisposeAsync().ConfigureAwait(false);
    }

    private async Task WriteAllAsync(Stream stream)
    {
        var buffer = new ArrayBufferWriter<byte>(64 * 1024);
        using var json = new Utf8JsonWriter(buffer, LineOptions);
        while (await _queue.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            var lines = 0;
            while (buffer.WrittenCount < 60 * 1024 && _queue.Reader.TryRead(out var record))
            {
                Format(json, record);
                json.Flush();
                json.Reset();
                buffer.Write("\n"u8);
                lines++;
            }

            try
            {
                await stream.WriteAsync(buffer.WrittenMemory).ConfigureAwait(false);
                await stream.FlushAsync().ConfigureAwait(false);
            }
            catch (IOException)
            {
                // A full disk or a closed pipe: the gateway goes on serving, and the count tells of the loss.
                Interlocked.Add(ref _dropped, lines);
            }

            buffer.ResetWrittenCount();
        }
    }

    private static void Format(Utf8JsonWriter json, in AccessRecord record)
    {
        json.WriteStartObject();
        json.WriteString("time"u8, record.Time.UtcDateTime);
        json.WriteString("method"u8, record.Method);
        json.WriteString("host"u8, record.Host);
        json.WriteString("path"u8, record.Path);
        json.WriteString("protocol"u8, record.Protocol);
        json.WriteNumber("status"u8, record.Status);
        json.WriteNumber("durationMs"u8, Math.Round(record.Duration.TotalMilliseconds, 3));
        if (record.Attempts > 0)
        {
            json.WriteNumber("upstreamMs"u8, Math.Round(record.Upstream.TotalMilliseconds, 3));
            json.WriteNumber("attempts"u8, record.Attempts);
        }

        WriteOptional(json, "route"u8, record.Route);
        WriteOptional(json, "service"u8, record.Service);
        WriteOptional(json, "instance"u8, record.Instance);
        WriteOptional(json, "error"u8, record.Error);
        json.WriteString("client"u8, record.Client);
        WriteOptional(json, "userAgent"u8, record.UserAgent);
        json.WriteString("traceId"u8, record.TraceId);
        json.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter json, ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}

/// <summary>The access log in use. A reload that changes its settings puts another one in.</summary>
internal sealed class AccessLogSlot
{
    private volatile AccessLog _current = AccessLog.Open(new AccessLogConfig { To = "none" });

    public AccessLog Current => _current;

    /// <summary>Puts a log in and closes the one before once its lines are written.</summary>
    public ValueTask ReplaceAsync(AccessLog next) => Interlocked.Exchange(ref _current, next).DisposeAsync();
}
