using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileSystemGlobbing;

namespace Lintel.Config;

/// <summary>What the user wrote: files read, included, overlaid and expanded into one tree, before its meaning is looked at.</summary>
/// <remarks>Later files overlay earlier ones key by key: maps merge, lists and single values replace, an explicit <c>null</c> removes.</remarks>
internal sealed class ConfigDocument
{
    /// <summary>A configuration file larger than this is refused: 100 000 routes need about a tenth of it.</summary>
    private const long MaxFileBytes = 64 * 1024 * 1024;

    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _contents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, UInt128> _fingerprints = new(StringComparer.Ordinal);

    private ConfigDocument()
    {
    }

    /// <summary>The merged tree; an empty map where nothing could be read.</summary>
    public MapNode Root { get; private set; } = new(default);

    /// <summary>Problems of reading; later passes add theirs.</summary>
    public ConfigReport Report { get; } = new();

    /// <summary>Every file that took part or should have, for the watcher: full paths.</summary>
    public IReadOnlyCollection<string> Files => _files;

    /// <summary>The folders that include patterns look into, for the watcher: full paths.</summary>
    public IReadOnlyCollection<string> Folders => _folders;

    /// <summary>What was read, by full path: the files as they are written, nothing expanded. Files that values come from are not among them.</summary>
    public IReadOnlyDictionary<string, byte[]> Contents => _contents;

    /// <summary>What the files and folders held when they were read, by full path (<see cref="ContentFingerprint"/>): of everything that was read, a moment before or exactly.</summary>
    public IReadOnlyDictionary<string, UInt128> Fingerprints => _fingerprints;

    /// <summary>Reads files, each overlaying the ones before.</summary>
    public static ConfigDocument Load(IReadOnlyList<string> files, ConfigSurroundings surroundings)
    {
        var document = new ConfigDocument();
        MapNode? root = null;
        foreach (var file in files)
        {
            if (document.ReadWithIncludes(file, [], surroundings) is { } read)
                root = root is null ? read : Overlay(root, read);
        }

        document.Root = root ?? new MapNode(new SourcePosition(files.Count > 0 ? files[0] : "no file", 1, 1));
        return document;
    }

    /// <summary>Takes text as if it were a file of that name; the name's extension decides between YAML and JSON.</summary>
    public static ConfigDocument Parse(string source, string text, ConfigSurroundings surroundings)
    {
        var document = new ConfigDocument();
        if (document.ParseText(source, text) is { } root)
        {
            document.Root = root;
            new Expansion(surroundings, Environment.CurrentDirectory, document.Report).Expand(root, KeyPath.Root);
        }

        return document;
    }

    /// <summary>Takes a section of .NET's configuration. Maps whose keys are 0, 1, 2 … are lists there.</summary>
    public static ConfigDocument FromConfiguration(IConfiguration section) =>
        new() { Root = (MapNode)Convert(section, new SourcePosition((section as IConfigurationSection)?.Path is { Length: > 0 } path ? path : "IConfiguration", 0, 0)) };

    private static ConfigNode Convert(IConfiguration section, SourcePosition position)
    {
        var children = section.GetChildren().ToList();
        if (children.Count == 0 && section is IConfigurationSection { Value: { } value })
            return new ScalarNode(position, value, isQuoted: value.Length > 0);
        if (children.Count > 0 && children.All(c => int.TryParse(c.Key, out _)))
        {
            var list = new ListNode(position);
            foreach (var child in children.OrderBy(c => int.Parse(c.Key, System.Globalization.CultureInfo.InvariantCulture)))
                list.Items.Add(Convert(child, new SourcePosition(child.Path, 0, 0)));
            return list;
        }

        var map = new MapNode(position);
        foreach (var child in children)
        {
            var at = new SourcePosition(child.Path, 0, 0);
            map.TryAdd(new MapEntry(child.Key, at, Convert(child, at)));
        }

        return map;
    }

    private static MapNode Overlay(MapNode below, MapNode above)
    {
        var result = new MapNode(above.Position);
        foreach (var entry in below.Entries)
        {
            var over = above.Find(entry.Key);
            if (over is null)
                result.TryAdd(entry);
            else if (over.Value is MapNode overMap && entry.Value is MapNode belowMap)
                result.TryAdd(new MapEntry(entry.Key, over.KeyPosition, Overlay(belowMap, overMap)));
            else if (over.Value is not ScalarNode { IsNull: true })
                result.TryAdd(over);
        }

        foreach (var entry in above.Entries)
        {
            if (below.Find(entry.Key) is null)
                result.TryAdd(entry);
        }

        return result;
    }

    private MapNode? ReadWithIncludes(string file, string[] including, ConfigSurroundings surroundings)
    {
        var full = Path.GetFullPath(file);
        _files.Add(full);
        if (ReadText(file, full, surroundings.Files) is not { } text || ParseText(file, text) is not { } map)
            return null;

        var directory = Path.GetDirectoryName(full)!;
        var expansion = new Expansion(surroundings, directory, Report);
        expansion.Expand(map, KeyPath.Root);
        foreach (var (path, fingerprint) in expansion.Files)
        {
            _files.Add(path);
            Note(path, fingerprint);
        }

        if (map.Find("include") is not { } include)
            return map;
        map.Remove("include");
        var included = new List<string>();
        foreach (var (pattern, node, path) in Patterns(include.Value))
        {
            foreach (var one in Resolve(pattern, new IncludeBase(surroundings.Files, directory, Path.GetDirectoryName(file) ?? ""), node, path))
            {
                if (Path.GetFullPath(one) != full && !including.Contains(Path.GetFullPath(one)))
                    included.Add(one);
                else
                    Report.Add("include", node, path, "the file includes itself" + (Path.GetFullPath(one) == full ? "" : $" by way of `{pattern}`"), "remove it from `include`");
            }
        }

        // What is included lies below the file that includes it: its own keys win.
        MapNode? root = null;
        foreach (var one in included.Distinct(StringComparer.Ordinal))
        {
            if (ReadWithIncludes(one, [.. including, full], surroundings) is { } read)
                root = root is null ? read : MergeDistinct(root, read, KeyPath.Root);
        }

        return root is null ? map : Overlay(root, map);
    }

    /// <summary>Included files stand side by side: the same name in two of them is a mistake, not an overlay.</summary>
    private MapNode MergeDistinct(MapNode first, MapNode second, KeyPath path)
    {
        foreach (var entry in second.Entries)
        {
            var at = path[entry.Key];
            var existing = first.Find(entry.Key);
            if (existing is null)
                first.TryAdd(entry);
            else if (path == KeyPath.Root && existing.Value is MapNode a && entry.Value is MapNode b)
                MergeDistinct(a, b, at);
            else
                Report.Add(new ConfigProblem("duplicate-key", entry.KeyPosition, at.ToString(), $"`{entry.Key}` stands in two included files", $"the first is at {existing.KeyPosition}"));
        }

        return first;
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
                Report.Add("wrong-type", items[i], path[i], $"a file pattern is expected, not {items[i].Kind}", "write `include: [routes/*.yaml]`");
        }
    }

    private List<string> Resolve(string pattern, IncludeBase from, ConfigNode node, KeyPath path)
    {
        if (!pattern.AsSpan().ContainsAny('*', '?'))
        {
            var single = Path.IsPathRooted(pattern) ? pattern : Path.Combine(from.ShownFolder, pattern);
            if (from.Files.Length(Path.GetFullPath(single)) is not null)
                return [single];
            _files.Add(Path.GetFullPath(single));
            Note(Path.GetFullPath(single), ContentFingerprint.Missing);
            Report.Add("include", node, path, $"the file `{pattern}` does not exist", "paths are relative to the file that includes them");
            return [];
        }

        // Split a rooted pattern so that the matcher sees a folder and a relative rest.
        var fixedPart = Path.GetDirectoryName(pattern[..pattern.AsSpan().IndexOfAny('*', '?')].TrimEnd('/') + "/x") ?? "";
        var folder = Path.GetFullPath(Path.Combine(from.Folder, fixedPart));
        _folders.Add(folder);
        Note(folder, ContentFingerprint.OfFolder(folder));
        if (from.Files.Folder(folder) is not { } searched)
        {
            Report.Add("include", node, path, $"the folder of `{pattern}` does not exist", "paths are relative to the file that includes them");
            return [];
        }

        var relative = pattern[fixedPart.Length..].TrimStart('/');
        try
        {
            var found = new Matcher(StringComparison.Ordinal).AddInclude(relative).Execute(searched);
            return [.. found.Files.Select(f => Path.Combine(Path.IsPathRooted(pattern) ? folder : Path.Combine(from.ShownFolder, fixedPart), f.Path)).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Report.Add("include", node, path, $"the folder of `{pattern}` cannot be read: {e.Message}");
            return [];
        }
    }

    private string? ReadText(string file, string full, ConfigFiles files)
    {
        try
        {
            if (files.Length(full) is { } length and > MaxFileBytes)
            {
                Report.Add(new ConfigProblem("file", new SourcePosition(file, 1, 1), "", $"the file has {length / (1024 * 1024)} MiB; at most 64 are read", "split it with `include`"));
                return null;
            }

            var bytes = files.Read(full);
            Note(full, ContentFingerprint.OfContent(bytes));
            var valid = System.Text.Unicode.Utf8.IsValid(bytes) ? bytes.Length : ValidPrefix(bytes);
            if (valid == bytes.Length)
            {
                _contents[full] = bytes;
                return new StreamReader(new MemoryStream(bytes)).ReadToEnd(); // takes a byte order mark off
            }

            var line = bytes.AsSpan(0, valid).Count((byte)'\n') + 1;
            var column = valid - bytes.AsSpan(0, valid).LastIndexOf((byte)'\n');
            Report.Add(new ConfigProblem("file", new SourcePosition(file, line, column), "", "the file is not UTF-8 text", "save it as UTF-8"));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            Note(full, ContentFingerprint.Missing);
            Report.Add(new ConfigProblem("file", new SourcePosition(file, 0, 0), "", "the file does not exist"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Report.Add(new ConfigProblem("file", new SourcePosition(file, 0, 0), "", $"the file cannot be read: {e.Message}"));
        }

        return null;
    }

    /// <summary>The first look counts: what came after it is a change.</summary>
    private void Note(string path, UInt128? fingerprint)
    {
        if (fingerprint is { } known)
            _fingerprints.TryAdd(path, known);
    }

    /// <summary>The number of bytes before the first that is not UTF-8.</summary>
    private static int ValidPrefix(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out var length) == System.Buffers.OperationStatus.Done)
            at += length;
        return at;
    }

    private MapNode? ParseText(string source, string text)
    {
        var root = Path.GetExtension(source).Equals(".json", StringComparison.OrdinalIgnoreCase)
            ? JsonDocumentReader.Read(source, text, Report)
            : YamlDocument.Read(source, text, Report);
        switch (root)
        {
            case MapNode map:
                return map;
            case null when !Report.IsValid:
                return null;
            case null or ScalarNode { IsNull: true }:
                return new MapNode(new SourcePosition(source, 1, 1));
            default:
                Report.Add("wrong-type", root, KeyPath.Root, $"a map of sections is expected, not {root.Kind}", "start with `services:` and `routes:`");
                return null;
        }
    }

    /// <summary>Where the patterns of a file's <c>include</c> start from.</summary>
    private sealed record IncludeBase(ConfigFiles Files, string Folder, string ShownFolder);
}
