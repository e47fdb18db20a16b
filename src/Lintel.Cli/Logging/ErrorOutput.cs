using System.Text;
using Lintel.Observability.Logs;

namespace Lintel.Cli.Logging;

/// <summary>
/// The error log's way out, to stderr or a file, for a process that must not wait for it: text waits in a bounded queue for a thread of its
/// own, and is dropped and counted while that is full.
/// </summary>
/// <remarks>
/// Everything that goes to stderr passes here, the log's lines and the banner, for a pipe that nobody reads blocks every writer. Thread
/// rule: everything from any thread.
/// </remarks>
internal sealed class ErrorOutput : TextWriter
{
    /// <summary>Characters that may wait: some thousand lines, or the stacks of a few dozen defects.</summary>
    public const int Capacity = 1 << 20;

    private readonly Lock _lock = new();
    private readonly LogSink _sink;
    private readonly Action<string>? _failed;
    private readonly StringBuilder _line = new();
    private readonly Queue<string> _waiting = [];
    private readonly ManualResetEventSlim _hasMore = new();
    private readonly ManualResetEventSlim _isIdle = new(true);
    private int _waitingChars;
    private long _unreported;
    private long _dropped;
    private bool _isInstalled;
    private bool _isClosed;
    private volatile Func<string, string>? _form;

    /// <param name="stream">Where the text goes; used by one thread, which it may block.</param>
    public ErrorOutput(Stream stream)
        : this(new StreamSink(stream), null) { }

    /// <param name="sink">Where the text goes; used by one thread, which it may block, and closed with this.</param>
    /// <param name="failed">Told why text could not be written, whenever that happens.</param>
    public ErrorOutput(LogSink sink, Action<string>? failed)
    {
        _sink = sink;
        _failed = failed;
        new Thread(Run) { IsBackground = true, Name = "lintel error log" }.UnsafeStart();
    }

    /// <summary>
    /// Makes lines that are not the log's own, such as the banner's, lines of the log's form; <see langword="null"/> where they pass as
    /// they are.
    /// </summary>
    public Func<string, string>? Form
    {
        get => _form;
        set => _form = value;
    }

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>Lines that were not written.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Puts itself in the place of the process's stderr, until disposed.</summary>
    public static ErrorOutput Install()
    {
        var output = new ErrorOutput(StreamSink.Standard(2), null) { _isInstalled = true };
        Console.SetError(output);
        return output;
    }

    /// <inheritdoc/>
    public override void Write(char value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Write((value + CoreNewLine[0]).AsSpan());

    /// <summary>Takes whole lines; the rest waits for its end.</summary>
    public override void Write(ReadOnlySpan<char> buffer)
    {
        lock (_lock)
        {
            var end = buffer.LastIndexOf('\n') + 1;
            if (end == 0 && _line.Length + buffer.Length > Capacity)
                return; // a line that never ends
            if (end == 0)
            {
                _line.Append(buffer);
                return;
            }

            var lines = _line.Append(buffer[..end]).ToString();
            _line.Clear().Append(buffer[end..]);
            Add_NeedsLock(Formed(lines));
        }
    }

    /// <summary>Takes one line of the log, which has its form already.</summary>
    /// <param name="line">The line, with its end.</param>
    public void Log(string line)
    {
        lock (_lock)
            Add_NeedsLock(line);
    }

    /// <summary>What stands under the file's name may be another one now.</summary>
    public void Reopen() => _sink.Reopen();

    /// <summary>Takes nothing more. What waits is written, and then the sink is closed.</summary>
    public override void Close()
    {
        lock (_lock)
            _isClosed = true;
        _hasMore.Set();
    }

    /// <summary>Waits until everything is written, but not for ever.</summary>
    /// <param name="patience">How long.</param>
    public void Finish(TimeSpan patience) => _isIdle.Wait(patience);

    /// <summary>Writes what waits, within a second, and gives stderr back if this took its place.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Finish(TimeSpan.FromSeconds(1));
            if (_isInstalled)
                Console.SetError(new StreamWriter(Console.OpenStandardError()) { AutoFlush = true });
        }

        base.Dispose(disposing);
    }

    private void Run()
    {
        while (true)
        {
            _hasMore.Wait();
            string text;
            bool isLast;
            lock (_lock)
            {
                var told = _unreported > 0 ? Formed($"{_unreported} lines were lost here because they could not be written\n") : "";
                _unreported = 0;
                text = told + string.Concat(_waiting);
                _waiting.Clear();
                _waitingChars = 0;
                isLast = _isClosed;
                if (!isLast)
                    _hasMore.Reset();
            }

            if (text.Length > 0)
                TryWrite(text);
            lock (_lock)
            {
                if (_waiting.Count == 0 && _unreported == 0)
                    _isIdle.Set();
                else
                    _hasMore.Set();
            }

            if (!isLast)
                continue;
            _sink.Dispose();
            return;
        }
    }

    private void TryWrite(string text)
    {
        try
        {
            _sink.Write(Encoding.GetBytes(text));
        }
        catch (Exception e)
        {
            // Nobody is there, or the disk is full: later it may be otherwise.
            Interlocked.Add(ref _dropped, text.AsSpan().Count('\n'));
            _failed?.Invoke(e.Message);
        }
    }

    private string Formed(string lines) =>
        _form is { } form ? string.Concat(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(form)) : lines;

    private void Add_NeedsLock(string lines)
    {
        if (_waitingChars + lines.Length > Capacity || _isClosed)
        {
            var count = lines.AsSpan().Count('\n');
            _unreported += _isClosed ? 0 : count;
            Interlocked.Add(ref _dropped, count);
            return;
        }

        _waiting.Enqueue(lines);
        _waitingChars += lines.Length;
        _isIdle.Reset();
        _hasMore.Set();
    }
}
