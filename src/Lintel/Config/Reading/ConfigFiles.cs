using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Config.Reading;

/// <summary>Where configuration files are read from: the disk, or a copy that was kept of them. Paths are full paths.</summary>
internal abstract class ConfigFiles
{
    /// <summary>What stands for standard input among the given files, and is its path here.</summary>
    public const string StandardInput = "-";

    /// <summary>A file's size in bytes; <see langword="null"/> where there is none.</summary>
    public abstract long? Length(string path);

    /// <summary>A file's content; throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public abstract byte[] Read(string path);

    /// <summary>Whether there is such a folder.</summary>
    public abstract bool IsFolder(string path);

    /// <summary>The folder that an include pattern looks into; <see langword="null"/> where there is none.</summary>
    public abstract DirectoryInfoBase? Folder(string path);

    /// <summary>The same for all names of one file.</summary>
    public virtual string Identity(string path) => path;

    /// <summary>Whether a file that was read cannot be read again, nor watched: standard input, a pipe.</summary>
    public virtual bool IsStream(string path) => false;
}

/// <summary>Files on the disk. What can be read only once, a pipe, is kept as it was read: a reload finds it again.</summary>
/// <remarks>Thread rule: one reading at a time adds to what is kept; the lock is for whoever validates beside a reload.</remarks>
internal sealed class DiskFiles(Func<Stream> standardInput) : ConfigFiles
{
    private readonly Dictionary<string, byte[]> _streams = new(StringComparer.Ordinal);

    public override long? Length(string path) =>
        path == StandardInput ? 0
        : new FileInfo(path) is { Exists: true } file ? file.Length
        : null;

    public override byte[] Read(string path)
    {
        lock (_streams)
        {
            if (_streams.TryGetValue(path, out var kept))
                return kept;
            using var stream =
                path == StandardInput
                    ? standardInput()
                    : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var content = new MemoryStream();
            stream.CopyTo(content);
            var bytes = content.ToArray();
            if (path == StandardInput || !stream.CanSeek)
                _streams[path] = bytes;
            return bytes;
        }
    }

    public override bool IsFolder(string path) => Directory.Exists(path);

    public override DirectoryInfoBase? Folder(string path) => Directory.Exists(path) ? new VisibleDirectory(path) : null;

    public override string Identity(string path) => path == StandardInput ? path : RealPath.Of(path);

    public override bool IsStream(string path)
    {
        lock (_streams)
            return _streams.ContainsKey(path);
    }
}
