using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Config.Reading;
using Microsoft.Extensions.FileSystemGlobbing;
using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Runtime;

/// <summary>
/// Saves the files of the last configuration that went live, so that a gateway can start although its files are broken or missing.
/// </summary>
/// <remarks>
/// One file holds all of them unexpanded: variables and secret files are expanded again when it is read. Its first line is a checksum of
/// the rest. It is written to a temporary file, flushed, renamed, and the folder is flushed: a crash at any moment leaves either the
/// previous or the new one. Its content controls access, so the folder and the file must belong to this user or root, must not be writable
/// by others, and the file must not be a link; otherwise nothing is written and nothing is read. Thread rule: one caller at a time, under
/// the gateway's reload gate.
/// </remarks>
internal sealed class LastGood
{
    private const string Magic = "lintel-last-good 1 ";

    private readonly string _folder;

    /// <param name="folder">The folder to save to; created when it is first needed.</param>
    /// <param name="files">The gateway's configuration files. Gateways with other files may use the same folder.</param>
    public LastGood(string folder, IReadOnlyList<string> files)
    {
        _folder = Path.GetFullPath(folder);
        var given = Encoding.UTF8.GetBytes(string.Join('\0', files.Select(Path.GetFullPath)));
        FilePath = Path.Combine(_folder, $"last-good-{Convert.ToHexStringLower(SHA256.HashData(given))[..16]}");
    }

    public string FilePath { get; }

    /// <summary>Saves these files, by full path, in place of those saved before. Does nothing if they are equal.</summary>
    /// <exception cref="IOException">The folder or the file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to write the folder or the file is denied.</exception>
    public void Keep(IReadOnlyDictionary<string, byte[]> contents, DateTimeOffset now)
    {
        if (IsKept(contents))
            return;
        var body = Write(contents, now);
        if (!Directory.Exists(_folder))
            CreateFolder();
        if (Ownership.FindProblem(RealPath.Of(_folder)) is { } problem)
            throw new IOException($"the directory {_folder} is not trusted: {problem}; it must be owned by this user and have mode 700");
        foreach (var left in Directory.EnumerateFiles(_folder, Path.GetFileName(FilePath) + ".*"))
            File.Delete(left); // left by a crash
        var beside = $"{FilePath}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}";

        // Never opens an existing name: it might be a link.
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.None,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // the files may contain secrets
        try
        {
            using (var stream = new FileStream(beside, options))
            {
                stream.Write(Encoding.ASCII.GetBytes(Magic + Convert.ToHexStringLower(SHA256.HashData(body)) + "\n"));
                stream.Write(body);
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, FilePath, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }

        DirectoryFlush.Flush(_folder);
    }

    /// <summary>Reads the saved files; <see langword="null"/> if there are none.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or may have been written by others.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to read the file is denied.</exception>
    public SavedFiles? Read()
    {
        if (!File.Exists(FilePath))
            return null;
        if ((Ownership.FindProblem(RealPath.Of(_folder)) ?? Ownership.FindProblem(FilePath)) is { } problem)
            throw new InvalidDataException($"{FilePath} is not trusted: {problem}");
        var bytes = File.ReadAllBytes(FilePath);
        var line = bytes.AsSpan().IndexOf((byte)'\n');
        if (line < 0 || !bytes.AsSpan().StartsWith(Encoding.ASCII.GetBytes(Magic)))
            throw new InvalidDataException("it is not a saved configuration");
        var body = bytes.AsMemory(line + 1);
        if (Encoding.ASCII.GetString(bytes, Magic.Length, line - Magic.Length) != Convert.ToHexStringLower(SHA256.HashData(body.Span)))
            throw new InvalidDataException("its checksum does not match its content");
        using var json = JsonDocument.Parse(body);
        var contents = json
            .RootElement.GetProperty("files")
            .EnumerateObject()
            .ToDictionary(f => f.Name, f => Encoding.UTF8.GetBytes(f.Value.GetString()!), StringComparer.Ordinal);
        return new SavedFiles(
            DateTimeOffset.Parse(json.RootElement.GetProperty("saved").GetString()!, CultureInfo.InvariantCulture),
            contents
        );
    }

    private static byte[] Write(IReadOnlyDictionary<string, byte[]> contents, DateTimeOffset now)
    {
        using var stream = new MemoryStream();
        using (
            var json = new Utf8JsonWriter(
                stream,
                new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
            )
        )
        {
            json.WriteStartObject();
            json.WriteString("saved", now.ToString("O", CultureInfo.InvariantCulture));
            json.WriteStartObject("files");
            foreach (var (path, content) in contents)
                json.WriteString(path, content); // valid UTF-8: other files are rejected when read
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private bool IsKept(IReadOnlyDictionary<string, byte[]> contents)
    {
        try
        {
            return Read() is { } kept && kept.Holds(contents);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            return false; // a damaged file is written again; a failure to write it is then reported
        }
    }

    private void CreateFolder()
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(_folder);
        else
            Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Flushes a folder, which makes a rename durable. .NET cannot open folders, so system calls are used.</summary>
    private static class DirectoryFlush
    {
        public static void Flush(string folder)
        {
            if (OperatingSystem.IsWindows())
                return;
            var descriptor = Open(Encoding.UTF8.GetBytes(folder + "\0"), 0);
            if (descriptor < 0)
                return; // the rename is done, it may only reach the disk later
            _ = Synchronize(descriptor);
            _ = Close(descriptor);
        }

        [DllImport("libc", EntryPoint = "open")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Open(byte[] path, int flags);

        [DllImport("libc", EntryPoint = "fsync")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Synchronize(int descriptor);

        [DllImport("libc", EntryPoint = "close")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Close(int descriptor);
    }
}

/// <summary>Configuration files from a <see cref="LastGood"/>.</summary>
internal sealed class SavedFiles(DateTimeOffset savedAt, IReadOnlyDictionary<string, byte[]> contents) : ConfigFiles
{
    public DateTimeOffset SavedAt { get; } = savedAt;

    public bool Holds(IReadOnlyDictionary<string, byte[]> others) =>
        others.Count == contents.Count
        && others.All(o => contents.TryGetValue(o.Key, out var content) && content.AsSpan().SequenceEqual(o.Value));

    public override bool IsFolder(string path) => !contents.ContainsKey(path) && contents.Keys.Any(k => Path.GetDirectoryName(k) == path);

    public override long? Length(string path) => contents.TryGetValue(path, out var content) ? content.Length : null;

    public override byte[] Read(string path) => contents.TryGetValue(path, out var content) ? content : throw new FileNotFoundException();

    // A folder without any matching file existed all the same.
    public override DirectoryInfoBase Folder(string path) =>
        new InMemoryDirectoryInfo(path, contents.Keys.Where(k => k.StartsWith(path, StringComparison.Ordinal)));
}
