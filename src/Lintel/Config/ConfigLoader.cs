using System.Text;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Microsoft.Extensions.FileSystemGlobbing;

namespace Lintel.Config;

/// <summary>Reads the files of a configuration with those that they include, each once.</summary>
internal sealed class ConfigLoader(ConfigDocument document, ConfigEnvironment environment)
{
    /// <summary>A configuration file larger than this is refused: 100 000 routes need about a tenth of it.</summary>
    private const long MaxFileBytes = 64 * 1024 * 1024;

    /// <summary>Far more than anybody nests by intention; bounds the reader's stack.</summary>
    private const int MaxDepth = 32;

    // The files that the given one includes, by whatever way and name.
    private readonly HashSet<string> _met = new(StringComparer.Ordinal);

    private ConfigFiles Disk => environment.Files;

    private ConfigReport Report => document.Report;

    /// <summary>A given file's name as messages show it.</summary>
    public static string Shown(string file) => file == ConfigFiles.StandardInput ? "<stdin>" : file;

    /// <summary>The files that a given path stands for: a folder is all configuration files in it, by name.</summary>
    public IReadOnlyList<string> Expand(string given)
    {
        if (given == ConfigFiles.StandardInput || !Disk.IsFolder(Path.GetFullPath(given)))
            return [given];
        var full = Path.GetFullPath(given);
        document.Sources.AddFolder(new WatchedDirectory(full, IsDeep: false));
        try
        {
            var found = new Matcher(StringComparison.Ordinal)
                .AddInclude("*.yaml")
                .AddInclude("*.yml")
                .AddInclude("*.json")
                .AddExclude(".*")
                .Execute(Disk.Folder(full)!);
            if (found.HasMatches)
                return [.. found.Files.Select(f => Path.Combine(given, f.Path)).Order(StringComparer.Ordinal)];
            Report.Add(
                new ConfigProblem(
                    "file",
                    new SourcePosition(given, 0, 0),
                    "",
                    "the directory contains no configuration files",
                    "only the `*.yaml`, `*.yml` and `*.json` files directly in it are read; the full path is " + full
                )
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Report.Add(new ConfigProblem("file", new SourcePosition(given, 0, 0), "", $"the directory cannot be read: {e.Message}"));
        }

        return [];
    }

    /// <summary>
    /// The tree of a given file and of what it includes; <see langword="null"/> where it cannot be read, and the report says why.
    /// </summary>
    public MapNode? Read(string file)
    {
        _met.Clear();
        return Read(file, []);
    }

    private static string FullPath(string file) => file == ConfigFiles.StandardInput ? file : Path.GetFullPath(file);

    private MapNode? Read(string file, string[] including)
    {
        var full = FullPath(file);
        var identity = Disk.Identity(full);
        _met.Add(identity);
        if (ReadText(file, full) is not { } text || document.ParseText(Shown(file), text) is not { } map)
            return null;

        var directory = file == ConfigFiles.StandardInput ? Environment.CurrentDirectory : Path.GetDirectoryName(full)!;
        var expansion = new Expansion(environment, directory, Report);
        expansion.Expand(map, KeyPath.Root);
        foreach (var (path, fingerprint) in expansion.Files)
            document.Sources.AddFile(path, fingerprint);

        if (map.Find("include") is not { } include)
            return map;
        map.Remove("include");

        // What is included lies below the file that includes it: its own keys win.
        MapNode? root = null;
        foreach (var (pattern, node, path) in Patterns(include.Value))
        {
            foreach (var one in Resolve(pattern, new IncludeBase(directory, Path.GetDirectoryName(file) ?? ""), node, path))
            {
                if (MayInclude(one, [.. including, identity], pattern, node, path) && Read(one, [.. including, identity]) is { } read)
                    root = root is null ? read : MapMerge.Beside(root, read, KeyPath.Root, Report);
            }
        }

        return root is null ? map : MapMerge.Over(root, map);
    }

    /// <summary>Whether a file is to be read: not one that includes this one, and none a second time.</summary>
    private bool MayInclude(string file, string[] including, string pattern, ConfigNode node, KeyPath path)
    {
        var full = Path.GetFullPath(file);
        var identity = Disk.Identity(full);
        if (including.Contains(identity))
        {
            Report.Add(
                "include",
                node,
                path,
                "the file includes itself" + (including[^1] == identity ? "" : $" through `{pattern}`"),
                "remove it from `include`"
            );
            return false;
        }

        if (including.Length >= MaxDepth)
        {
            Report.Add("include", node, path, $"includes are nested more than {MaxDepth} levels deep", "include the files from one file");
            return false;
        }

        if (!_met.Contains(identity))
            return true;
        document.Sources.AddOtherName(full);
        return false;
    }

    private IEnumerable<(string Pattern, ConfigNode Node, KeyPath Path)> Patterns(ConfigNode node)
    {
        var path = KeyPath.Root["include"];
        var items = node is ListNode list ? list.Items : [node];
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i] is ScalarNode { IsNull: false } scalar)
                yield return (scalar.Text, scalar, path[i]);
            else
                Report.Add(
                    "wrong-type",
                    items[i],
                    path[i],
                    $"a file pattern is expected, not {items[i].Kind}",
                    "write `include: [routes/*.yaml]`"
                );
        }
    }

    private List<string> Resolve(string pattern, IncludeBase from, ConfigNode node, KeyPath path)
    {
        if (!pattern.AsSpan().ContainsAny('*', '?'))
        {
            var single = Path.IsPathRooted(pattern) ? pattern : Path.Combine(from.ShownFolder, pattern);
            var full = Path.GetFullPath(single);
            if (Disk.Length(full) is not null)
                return [single];
            if (Disk.IsFolder(full))
            {
                Report.Add("include", node, path, $"`{pattern}` is a directory", $"write `{pattern.TrimEnd('/')}/*.yaml`");
                return [];
            }

            document.Sources.AddFile(full, ContentFingerprint.Missing);
            Report.Add("include", node, path, $"the file `{pattern}` does not exist", "paths are relative to the file that includes them");
            return [];
        }

        // The matcher takes a folder and a pattern in it: what comes before the first wildcard's segment is the folder.
        var cut = pattern[..pattern.AsSpan().IndexOfAny('*', '?')].LastIndexOf('/') + 1;
        var (fixedPart, relative) = (pattern[..cut], pattern[cut..]);
        var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine(from.Folder, fixedPart)));
        document.Sources.AddFolder(new WatchedDirectory(folder, relative.Contains('/')));
        if (Disk.Folder(folder) is not { } searched)
        {
            Report.Add(
                "include",
                node,
                path,
                $"the directory of `{pattern}` does not exist",
                "paths are relative to the file that includes them"
            );
            return [];
        }

        try
        {
            var found = new Matcher(StringComparison.Ordinal).AddInclude(relative).Execute(searched);
            return
            [
                .. found
                    .Files.Select(f =>
                        Path.Combine(Path.IsPathRooted(pattern) ? folder : Path.Combine(from.ShownFolder, fixedPart), f.Path)
                    )
                    .Order(StringComparer.Ordinal),
            ];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Report.Add("include", node, path, $"the directory of `{pattern}` cannot be read: {e.Message}");
            return [];
        }
    }

    private string? ReadText(string file, string full)
    {
        var nowhere = new SourcePosition(Shown(file), 0, 0);
        try
        {
            if (Disk.Length(full) is { } length and > MaxFileBytes)
            {
                Report.Add(
                    new ConfigProblem(
                        "file",
                        new SourcePosition(file, 1, 1),
                        "",
                        $"the file is {length / (1024 * 1024)} MiB large; the limit is 64 MiB",
                        "split it with `include`"
                    )
                );
                document.Sources.AddFile(full);
                return null;
            }

            var bytes = Disk.Read(full);
            document.Sources.AddContent(full, bytes);
            if (!Disk.IsStream(full))
                document.Sources.AddFile(full);
            var valid = System.Text.Unicode.Utf8.IsValid(bytes) ? bytes.Length : ValidPrefix(bytes);
            if (valid == bytes.Length)
                return new StreamReader(new MemoryStream(bytes)).ReadToEnd(); // takes a byte order mark off
            var line = bytes.AsSpan(0, valid).Count((byte)'\n') + 1;
            var column = valid - bytes.AsSpan(0, valid).LastIndexOf((byte)'\n');
            Report.Add(
                new ConfigProblem(
                    "file",
                    new SourcePosition(Shown(file), line, column),
                    "",
                    "the file is not UTF-8 text",
                    "save it as UTF-8"
                )
            );
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            document.Sources.AddFile(full, ContentFingerprint.Missing);
            Report.Add(new ConfigProblem("file", nowhere, "", "the file does not exist", full == file ? null : "the full path is " + full));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            document.Sources.AddFile(full);
            Report.Add(new ConfigProblem("file", nowhere, "", $"the file cannot be read: {e.Message}"));
        }

        return null;
    }

    /// <summary>The number of bytes before the first that is not UTF-8.</summary>
    private static int ValidPrefix(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out var length) == System.Buffers.OperationStatus.Done)
            at += length;
        return at;
    }

    /// <summary>Where the patterns of a file's <c>include</c> start from.</summary>
    private sealed record IncludeBase(string Folder, string ShownFolder);
}
