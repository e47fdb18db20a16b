using System.Globalization;
using System.Text.RegularExpressions;
using Lintel.Config;

namespace Lintel.Observability.Logs;

/// <summary>A log file that is rotated when it is large or old enough, and reopened if it was rotated externally.</summary>
internal sealed partial class LogFile : LogSink
{
    /// <summary>How long lines may still go to a file that was moved away without a signal.</summary>
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>A rotation that failed (permissions, for example) is not retried for every line.</summary>
    private static readonly TimeSpan TryAgain = TimeSpan.FromMinutes(1);

    private readonly string _path;
    private readonly RotateConfig? _rotate;
    private readonly TimeProvider _time;
    private readonly LostLines _lost;
    private FileStream? _stream;
    private long _opened;
    private DateTimeOffset _lastLine;
    private DateTimeOffset _noRotationBefore;
    private volatile bool _reopen;

    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be opened.</exception>
    public LogFile(string path, RotateConfig? rotate, TimeProvider time, LostLines lost)
    {
        _path = path;
        _rotate = rotate;
        _time = time;
        _lost = lost;
        _stream = Open();
        _opened = time.GetTimestamp();
        _lastLine = _stream is { CanSeek: true, Length: > 0 } ? File.GetLastWriteTimeUtc(path) : time.GetUtcNow();
    }

    public override void Reopen() => _reopen = true;

    public override void Write(ReadOnlySpan<byte> lines)
    {
        var now = _time.GetUtcNow();
        if (_stream is null || _reopen || _time.GetElapsedTime(_opened) >= CheckInterval)
            OpenAnew();
        if (!_stream!.CanSeek)
        {
            _stream.Write(lines); // a device or pipe: nothing to rotate
            return;
        }

        if (IsDue(_stream.Length, lines.Length, now))
            Rotate(now);

        // To the end as it is now: somebody may have emptied the file in the meantime (logrotate's copytruncate).
        var end = _stream!.Length;
        _stream.Position = end;
        try
        {
            _stream.Write(lines);
        }
        catch (IOException)
        {
            CutBack(end);
            throw;
        }

        _lastLine = now;
    }

    public override void Dispose() => _stream?.Dispose();

    private bool IsDue(long length, int more, DateTimeOffset now)
    {
        if (_rotate is null || length == 0 || now < _noRotationBefore)
            return false;
        return length + more > _rotate.Size
            || (_rotate.Every is { } every && now.UtcTicks / every.Ticks > _lastLine.UtcTicks / every.Ticks);
    }

    private void Rotate(DateTimeOffset now)
    {
        try
        {
            OpenAnew();
            if (_stream!.Length == 0)
                return; // somebody else has done it

            var aside = now;
            while (File.Exists(NameOf(aside)))
                aside = aside.AddMilliseconds(1);
            File.Move(_path, NameOf(aside));
            OpenAnew();
            Prune();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _noRotationBefore = now + TryAgain;
            _lost.Report($"the file cannot be rotated: {e.Message}");
            if (_stream is null)
                throw;
        }
    }

    /// <summary>Deletes the oldest files of ours. Names sort by time.</summary>
    private void Prune()
    {
        var name = Path.GetFileName(_path) + ".";
        var old = Directory
            .EnumerateFiles(Path.GetDirectoryName(_path)!)
            .Where(f => Path.GetFileName(f) is var n && n.StartsWith(name, StringComparison.Ordinal) && Stamp().IsMatch(n[name.Length..]))
            .OrderDescending(StringComparer.Ordinal)
            .Skip(_rotate!.Keep)
            .ToList();
        foreach (var file in old)
            File.Delete(file);
    }

    private string NameOf(DateTimeOffset time) =>
        $"{_path}.{time.UtcDateTime.ToString("yyyyMMdd'T'HHmmss.fff'Z'", CultureInfo.InvariantCulture)}";

    private void OpenAnew()
    {
        FileStream next;
        try
        {
            next = Open();
        }
        catch (Exception e) when ((e is IOException or UnauthorizedAccessException) && _stream is not null && File.Exists(_path))
        {
            // No descriptor to be had, or rights were taken away: the file that is open still takes lines.
            _opened = _time.GetTimestamp();
            return;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }

        _reopen = false;
        _stream?.Dispose();
        _stream = next;
        _opened = _time.GetTimestamp();
    }

    private FileStream Open()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead; // lines tell who did what
        return new FileStream(_path, options);
    }

    /// <summary>A full disk leaves no partial line to which the next one would be appended.</summary>
    private void CutBack(long end)
    {
        try
        {
            _stream!.SetLength(end);
        }
        catch (IOException)
        {
            // Then the torn line stays.
        }
    }

    [GeneratedRegex(@"^[0-9]{8}T[0-9]{6}\.[0-9]{3}Z$")]
    private static partial Regex Stamp();
}
