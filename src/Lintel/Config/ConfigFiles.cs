using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Config;

/// <summary>Where configuration files are read from: the disk, or a copy that was kept of them. Paths are full paths.</summary>
internal abstract class ConfigFiles
{
    public static ConfigFiles Disk { get; } = new OnDisk();

    /// <summary>A file's size in bytes; <see langword="null"/> where there is none.</summary>
    public abstract long? Length(string path);

    /// <summary>A file's content; throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public abstract byte[] Read(string path);

    /// <summary>The folder that an include pattern looks into; <see langword="null"/> where there is none.</summary>
    public abstract DirectoryInfoBase? Folder(string path);

    private sealed class OnDisk : ConfigFiles
    {
        public override long? Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : null;

        public override byte[] Read(string path) => File.ReadAllBytes(path);

        public override DirectoryInfoBase? Folder(string path) => Directory.Exists(path) ? new DirectoryInfoWrapper(new DirectoryInfo(path)) : null;
    }
}
