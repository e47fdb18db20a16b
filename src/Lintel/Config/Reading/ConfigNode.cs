namespace Lintel.Config.Reading;

/// <summary>
/// A node of the tree that YAML, JSON and <c>IConfiguration</c> are read into before anything is known about its meaning.
/// </summary>
internal abstract class ConfigNode(SourcePosition position)
{
    public SourcePosition Position { get; } = position;

    public abstract string Kind { get; }
}

/// <summary>
/// A single value. <see cref="Written"/> is what stands in the file, <see cref="Text"/> what it became by expansion: messages show only the
/// former.
/// </summary>
internal sealed class ScalarNode(SourcePosition position, string written, bool isQuoted) : ConfigNode(position)
{
    public string Written { get; } = written;

    public string Text { get; set; } = written;

    /// <summary>A quoted scalar is text whatever it looks like (YAML 1.2 core schema).</summary>
    public bool IsQuoted { get; } = isQuoted;

    /// <summary>A variable or file that it refers to is missing, and the report says so.</summary>
    public bool IsExpansionFailed { get; set; }

    public bool IsNull => !IsQuoted && Text is "" or "~" or "null" or "Null" or "NULL";

    public override string Kind => IsNull ? "nothing" : "a single value";
}

internal sealed class ListNode(SourcePosition position) : ConfigNode(position)
{
    public List<ConfigNode> Items { get; } = [];

    public override string Kind => "a list";
}

internal sealed class MapEntry(string key, SourcePosition keyPosition, ConfigNode value)
{
    public string Key { get; } = key;

    public SourcePosition KeyPosition { get; } = keyPosition;

    public ConfigNode Value { get; set; } = value;
}

/// <summary>Keys and values in the order in which they were written.</summary>
internal sealed class MapNode(SourcePosition position) : ConfigNode(position)
{
    private readonly Dictionary<string, MapEntry> _byKey = new(StringComparer.Ordinal);
    private readonly List<MapEntry> _entries = [];

    public IReadOnlyList<MapEntry> Entries => _entries;

    public override string Kind => "a map";

    public MapEntry? Find(string key) => _byKey.GetValueOrDefault(key);

    /// <summary>False when the key is there already.</summary>
    public bool TryAdd(MapEntry entry)
    {
        if (!_byKey.TryAdd(entry.Key, entry))
            return false;
        _entries.Add(entry);
        return true;
    }

    public void Remove(string key)
    {
        if (_byKey.Remove(key, out var entry))
            _entries.Remove(entry);
    }
}
