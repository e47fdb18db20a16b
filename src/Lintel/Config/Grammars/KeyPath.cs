using System.Text;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>The way from the document's root to a node: <c>routes.user.match.hosts[1]</c>.</summary>
internal sealed class KeyPath
{
    private readonly KeyPath? _parent;
    private readonly int _index;

    private KeyPath(KeyPath? parent, string? key, int index)
    {
        _parent = parent;
        Key = key;
        _index = index;
    }

    public static KeyPath Root { get; } = new(null, null, -1);

    /// <summary>The last step's key; <see langword="null"/> for the root and for list items.</summary>
    public string? Key { get; }

    /// <summary>The path one step up; the root's is the root.</summary>
    public KeyPath Parent => _parent ?? this;

    public KeyPath this[string key] => new(this, key, -1);

    public KeyPath this[int index] => new(this, null, index);

    /// <summary>The node at this path, or the nearest one above it that exists.</summary>
    public ConfigNode Locate(ConfigNode root) => Locate(root, out _);

    /// <summary>The node at this path, or the nearest one above it that exists: a short form has no keys of its own.</summary>
    public ConfigNode Locate(ConfigNode root, out KeyPath found)
    {
        found = this;
        if (_parent is null)
            return root;
        var above = _parent.Locate(root, out var parent);
        switch (above)
        {
            case MapNode map when parent == _parent && Key is not null && map.Find(Key) is { } entry:
                return entry.Value;
            case ListNode list when parent == _parent && Key is null && _index < list.Items.Count:
                return list.Items[_index];
            default:
                found = parent;
                return above;
        }
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        Append(text);
        return text.ToString();
    }

    private void Append(StringBuilder text)
    {
        if (_parent is null)
            return;
        _parent.Append(text);
        if (Key is null)
        {
            text.Append('[').Append(_index).Append(']');
            return;
        }

        if (Key.AsSpan().IndexOfAny(". []\"") >= 0 || Key.Length == 0)
            text.Append("[\"").Append(Key).Append("\"]");
        else
            text.Append(text.Length == 0 ? "" : ".").Append(Key);
    }
}
