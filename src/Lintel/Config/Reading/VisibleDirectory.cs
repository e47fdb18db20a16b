using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Config.Reading;

/// <summary>A folder on the disk as include patterns see it.</summary>
/// <remarks>
/// Folders whose name begins with <c>..</c> are not seen: Kubernetes keeps a ConfigMap's files in <c>..2026_11_27_…</c> and swaps a link to
/// it, <c>..data</c>, at which the files that are meant point. Nor are links that lead nowhere, which the kubelet leaves for a moment, and
/// links that lead back to a folder on the way: they would never end.
/// </remarks>
internal sealed class VisibleDirectory : DirectoryInfoBase
{
    private readonly DirectoryInfo _folder;
    private readonly string[] _way;

    public VisibleDirectory(string path)
        : this(new DirectoryInfo(path), [RealPath.Of(path)]) { }

    private VisibleDirectory(DirectoryInfo folder, string[] way)
    {
        _folder = folder;
        _way = way;
    }

    public override string Name => _folder.Name;

    public override string FullName => _folder.FullName;

    public override DirectoryInfoBase? ParentDirectory => _folder.Parent is { } parent ? new DirectoryInfoWrapper(parent) : null;

    public override IEnumerable<FileSystemInfoBase> EnumerateFileSystemInfos()
    {
        foreach (var child in _folder.EnumerateFileSystemInfos())
        {
            if (child is FileInfo file)
            {
                if (file.LinkTarget is null || File.Exists(RealPath.Of(file.FullName)))
                    yield return new FileInfoWrapper(file);
            }
            else if (
                child is DirectoryInfo folder
                && !folder.Name.StartsWith("..", StringComparison.Ordinal)
                && Enter(folder) is { } entered
            )
                yield return entered;
        }
    }

    public override DirectoryInfoBase? GetDirectory(string path) => new DirectoryInfoWrapper(_folder).GetDirectory(path);

    public override FileInfoBase? GetFile(string path) => new DirectoryInfoWrapper(_folder).GetFile(path);

    private VisibleDirectory? Enter(DirectoryInfo folder)
    {
        if (folder.LinkTarget is null)
            return new VisibleDirectory(folder, _way);
        var real = RealPath.Of(folder.FullName);
        var here = RealPath.Of(_folder.FullName);
        return _way.Append(here).Any(w => w == real || w.StartsWith(real + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            ? null
            : new VisibleDirectory(folder, [.. _way, here, real]);
    }
}
