using Lintel.Config.Grammars;
using Microsoft.Extensions.Configuration;

namespace Lintel.Config.Reading;

/// <summary>What the user wrote: files read, included, overlaid and expanded into one tree, before its meaning is looked at.</summary>
/// <remarks>
/// Later files overlay earlier ones key by key: maps merge, lists and single values replace, an explicit <c>null</c> removes.
/// </remarks>
internal sealed class ConfigDocument
{
    private ConfigDocument() { }

    /// <summary>The merged tree; an empty map where nothing could be read.</summary>
    public MapNode Root { get; private set; } = new(default);

    /// <summary>Problems of reading; later passes add theirs.</summary>
    public ConfigReport Report { get; private init; } = new();

    /// <summary>What was read.</summary>
    public ConfigSources Sources { get; } = new();

    /// <summary>Reads files, each overlaying the ones before.</summary>
    /// <param name="files">Paths of files; of folders, which stand for the configuration files in them by name; or <c>-</c> for standard
    /// input.</param>
    /// <param name="environment">The environment: where files are read from, and the variables.</param>
    public static ConfigDocument Load(IReadOnlyList<string> files, ConfigEnvironment environment)
    {
        var document = new ConfigDocument();
        var loader = new ConfigLoader(document, environment);
        MapNode? root = null;
        foreach (var file in files.SelectMany(loader.Expand))
        {
            if (loader.Read(file) is { } read)
                root = root is null ? read : MapMerge.Over(root, read);
        }

        document.Root = root ?? new MapNode(new SourcePosition(files.Count > 0 ? ConfigLoader.Shown(files[0]) : "no file", 1, 1));
        return document;
    }

    /// <summary>Takes text as if it were a file of that name; the name's extension decides between YAML and JSON.</summary>
    public static ConfigDocument Parse(string source, string text, ConfigEnvironment environment)
    {
        var document = new ConfigDocument();
        if (document.ParseText(source, text) is { } root)
        {
            document.Root = root;
            new Expansion(environment, Environment.CurrentDirectory, document.Report).Expand(root, KeyPath.Root);
        }

        return document;
    }

    /// <summary>Takes a section of .NET's configuration. Maps whose keys are 0, 1, 2 … are lists there.</summary>
    public static ConfigDocument FromConfiguration(IConfiguration section, string folder = "") =>
        new()
        {
            Report = new ConfigReport { Folder = folder },
            Root = (MapNode)Convert(
                section,
                new SourcePosition((section as IConfigurationSection)?.Path is { Length: > 0 } path ? path : "IConfiguration", 0, 0)
            ),
        };

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

    /// <summary>The map of sections that a text holds; <see langword="null"/> where it is none, and the report says why.</summary>
    public MapNode? ParseText(string source, string text)
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
                Report.Add(
                    "wrong-type",
                    root,
                    KeyPath.Root,
                    $"a map of sections is expected, not {root.Kind}",
                    "start with `services:` and `routes:`"
                );
                return null;
        }
    }
}
