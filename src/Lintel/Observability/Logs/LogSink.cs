using Microsoft.Win32.SafeHandles;

namespace Lintel.Observability.Logs;

/// <summary>Where lines go. Used by one thread, which it may block.</summary>
internal abstract class LogSink : IDisposable
{
    /// <summary>Writes complete lines, or throws without writing any of them, as far as possible.</summary>
    /// <exception cref="IOException">They could not be written.</exception>
    public abstract void Write(ReadOnlySpan<byte> lines);

    /// <summary>Called from any thread: the file under the sink's name may have been replaced.</summary>
    public virtual void Reopen() { }

    public abstract void Dispose();
}

/// <summary>An existing stream.</summary>
internal sealed class StreamSink(Stream stream) : LogSink
{
    private bool _isTorn;

    /// <summary>A standard stream of the process.</summary>
    /// <param name="descriptor">1 for stdout, 2 for stderr.</param>
    public static StreamSink Standard(int descriptor)
    {
        // .NET's console stream swallows the error of a pipe that nobody reads any more, and those lines would count as written.
        // A file or terminal is left to it: it writes where the file's own position is, which others may share.
        if (!OperatingSystem.IsWindows() && (descriptor == 1 ? Console.IsOutputRedirected : Console.IsErrorRedirected))
        {
            var pipe = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            if (!pipe.CanSeek)
                return new StreamSink(pipe);
        }

        return new StreamSink(descriptor == 1 ? Console.OpenStandardOutput() : Console.OpenStandardError());
    }

    public override void Write(ReadOnlySpan<byte> lines)
    {
        try
        {
            if (_isTorn)
                stream.Write("\n"u8);
            _isTorn = true;
            stream.Write(lines);
            stream.Flush();
            _isTorn = false;
        }
        catch (ObjectDisposedException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    public override void Dispose() => stream.Dispose();
}
