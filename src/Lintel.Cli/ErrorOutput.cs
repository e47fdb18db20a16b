using System.Text;

namespace Lintel.Cli;

/// <summary>stderr for a process that must not wait for whoever reads it: text waits in a bounded queue for a thread of its own, and is dropped and counted while that is full.</summary>
/// <remarks>Everything that is written passes here, the log's lines and the banner, for a pipe that nobody reads blocks every writer. Thread rule: everything from any thread.</remarks>
internal sealed class ErrorOutput : TextWriter
{
    /// <summary>Characters that may wait: some thousand lines, or the stacks of a few dozen defects.</summary>
    public const int Capacity = 1 << 20;

    private readonly Lock _lock = new();
    private readonly Stream _stream;
    private readonly StringBuilder _line = new();
    private readonly Queue<string> _waiting = [];
    private readonly ManualResetEventSlim _hasMore = new();
    private readonly ManualResetEventSlim _isIdle = new(true);
    private int _waitingChars;
    private long _untold;
    private long _dropped;
    private bool _isTorn;

    /// <param name="stream">Where the text goes; used by one thread, which it may block.</param>
    public ErrorOutput(Stream stream)
    {
        _stream = stream;
        new Thread(Run) { IsBackground = true, Name = "lintel stderr" }.UnsafeStart();
    }

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>Lines that were not written.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Puts itself in the place of the process's stderr, until disposed.</summary>
    public static ErrorOutput Install()
    {
        var output = new ErrorOutput(Console.OpenStandardError());
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
            if (_waitingChars + lines.Length > Capacity)
            {
                Drop_NeedsLock(lines);
                return;
            }

            _waiting.Enqueue(lines);
            _waitingChars += lines.Length;
            _isIdle.Reset();
            _hasMore.Set();
        }
    }

    /// <summary>Waits until everything is written, but not for ever.</summary>
    /// <param name="patience">How long.</param>
    public void Finish(TimeSpan patience) => _isIdle.Wait(patience);

    /// <summary>Writes what waits, within a second, and gives stderr back.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Finish(TimeSpan.FromSeconds(1));
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
            lock (_lock)
            {
                var told = _untold > 0 ? $"{_untold} lines were lost here: stderr was not read\n" : "";
                _untold = 0;
                text = told + string.Concat(_waiting);
                _waiting.Clear();
                _waitingChars = 0;
                _hasMore.Reset();
            }

            TryWrite(text);
            lock (_lock)
            {
                if (_waiting.Count == 0 && _untold == 0)
                    _isIdle.Set();
                else
                    _hasMore.Set();
            }
        }
    }

    private void TryWrite(string text)
    {
        try
        {
            _stream.Write(Encoding.GetBytes(_isTorn ? "\n" + text : text));
            _stream.Flush();
            _isTorn = false;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Nobody is there: the next one may be.
            _isTorn = true;
            Interlocked.Add(ref _dropped, text.AsSpan().Count('\n'));
        }
    }

    private void Drop_NeedsLock(string lines)
    {
        var count = lines.AsSpan().Count('\n');
        _untold += count;
        Interlocked.Add(ref _dropped, count);
    }
}
