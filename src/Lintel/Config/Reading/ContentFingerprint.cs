using System.IO.Hashing;
using System.Text;
using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Config.Reading;

/// <summary>Numbers that stand for what files and folders hold: the same number, the same content.</summary>
internal static class ContentFingerprint
{
    /// <summary>
    /// Larger files are refused wherever content is read: size and time tell when they change, instead of reading gigabytes every 2 s.
    /// </summary>
    private const long MaxHashed = 64 * 1024 * 1024;

    /// <summary>Of a file that is not there, or may not be read.</summary>
    public static UInt128 Missing { get; } = OfContent("missing"u8);

    public static UInt128 OfContent(ReadOnlySpan<byte> content) => XxHash128.HashToUInt128(content);

    /// <summary>
    /// Of a file's content as it is on the disk; <see langword="null"/> while the process cannot look because it has no file descriptor
    /// left.
    /// </summary>
    public static UInt128? OfFile(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (stream is { CanSeek: true, Length: > MaxHashed })
                return OfContent(Encoding.UTF8.GetBytes($"{stream.Length} {File.GetLastWriteTimeUtc(path).Ticks}"));
            var hash = new XxHash128();
            hash.Append(stream);
            return hash.GetCurrentHashAsUInt128();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return IsOutOfDescriptors(e) ? null : Missing;
        }
    }

    /// <summary>Of the names of the files in a folder, as include patterns see it; <see langword="null"/> as with a file.</summary>
    public static UInt128? OfFolder(WatchedDirectory folder)
    {
        try
        {
            if (!Directory.Exists(folder.Path))
                return Missing;
            var hash = new XxHash128();
            foreach (var file in Files(new VisibleDirectory(folder.Path), folder.IsDeep).Order(StringComparer.Ordinal))
                Append(hash, file);
            return hash.GetCurrentHashAsUInt128();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return IsOutOfDescriptors(e) ? null : Missing;
        }
    }

    /// <summary>Of files and folders together, in whatever order; <see langword="null"/> where one of them cannot be looked at.</summary>
    /// <param name="files">Full paths.</param>
    /// <param name="folders">The folders.</param>
    /// <param name="known">What was read of some of them, by path: it counts in the place of what is on the disk.</param>
    public static UInt128? OfAll(
        IEnumerable<string> files,
        IEnumerable<WatchedDirectory> folders,
        IReadOnlyDictionary<string, UInt128>? known = null
    )
    {
        var hash = new XxHash128();
        var looks = files
            .Select(f => (Path: f, Look: (Func<UInt128?>)(() => OfFile(f))))
            .Concat(folders.Select(f => (Path: f.ToString(), Look: (Func<UInt128?>)(() => OfFolder(f)))));
        foreach (var (path, look) in looks.OrderBy(l => l.Path, StringComparer.Ordinal))
        {
            if ((known is not null && known.TryGetValue(path, out var read) ? read : look()) is not { } number)
                return null;
            Append(hash, path);
            Append(hash, number.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return hash.GetCurrentHashAsUInt128();
    }

    private static IEnumerable<string> Files(DirectoryInfoBase folder, bool isDeep)
    {
        foreach (var child in folder.EnumerateFileSystemInfos())
        {
            if (child is not DirectoryInfoBase inner)
                yield return child.FullName;
            else if (isDeep)
            {
                foreach (var file in Files(inner, isDeep))
                    yield return file;
            }
        }
    }

    private static void Append(XxHash128 hash, string text)
    {
        hash.Append(Encoding.UTF8.GetBytes(text));
        hash.Append([0]); // ends a name: "ab", "c" is not "a", "bc"
    }

    /// <summary>EMFILE and ENFILE: on Unix an <see cref="IOException"/> carries the system's number.</summary>
    private static bool IsOutOfDescriptors(Exception e) => e is IOException && e.HResult is 23 or 24;
}
