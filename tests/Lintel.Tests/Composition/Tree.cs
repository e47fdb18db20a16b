using System.Text.Json;

namespace Lintel.Tests.Composition;

/// <summary>The expected JSON: text as a service wrote it, or derived from such.</summary>
internal sealed class Tree
{
    private List<(string Name, Tree Value)>? _members;
    private List<Tree>? _items;
    private int? _count;

    private Tree() { }

    /// <summary>The text, byte for byte; <see langword="null"/> where it was made.</summary>
    public string? Raw { get; private init; }

    public List<(string Name, Tree Value)>? Members =>
        _members ?? (Raw?.StartsWith('{') == true ? [.. Parsed.EnumerateObject().Select(p => (p.Name, Of(p.Value.GetRawText())))] : null);

    public List<Tree>? Items =>
        _items ?? (Raw?.StartsWith('[') == true ? [.. Parsed.EnumerateArray().Select(i => Of(i.GetRawText()))] : null);

    private JsonElement Parsed => JsonDocument.Parse(Raw!).RootElement;

    public static Tree Of(string raw) => new() { Raw = raw };

    public static Tree Object(List<(string, Tree)> members) => new() { _members = members };

    public static Tree List(List<Tree> items) => new() { _items = items };

    /// <summary>A list of so many, whatever they are.</summary>
    public static Tree AnyList(int count) => new() { _count = count };

    /// <summary>The same, of which only the elements are as they were.</summary>
    public Tree WithItems() => List(Items!);

    /// <summary>The difference; <see langword="null"/> for none.</summary>
    public string? Difference(JsonElement actual, string path = "")
    {
        if (Raw is not null)
            return actual.GetRawText() == Raw ? null : $"{path}: {actual.GetRawText()} is not {Raw}";
        if (_count is { } count)
            return actual.ValueKind == JsonValueKind.Array && actual.GetArrayLength() == count
                ? null
                : $"{path}: {actual.GetRawText()} has not {count} items";
        if (_items is { } items)
        {
            if (actual.ValueKind != JsonValueKind.Array || actual.GetArrayLength() != items.Count)
                return $"{path}: {actual.GetRawText()} has not {items.Count} items";
            return items.Select((item, i) => item.Difference(actual[i], $"{path}/{i}")).FirstOrDefault(d => d is not null);
        }

        if (actual.ValueKind != JsonValueKind.Object)
            return $"{path}: {actual.GetRawText()} is no object";
        var properties = actual.EnumerateObject().ToList();
        if (!properties.Select(p => p.Name).SequenceEqual(_members!.Select(m => m.Name)))
            return $"{path}: [{string.Join(", ", properties.Select(p => p.Name))}] is not "
                + $"[{string.Join(", ", _members!.Select(m => m.Name))}]";
        return _members!.Select((m, i) => m.Value.Difference(properties[i].Value, path + "/" + m.Name)).FirstOrDefault(d => d is not null);
    }
}
