using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>The names by which schemas refer to each other: files, <c>$id</c>, <c>$anchor</c>, JSON Pointers.</summary>
internal sealed class SchemaNames(SchemaSource source)
{
    /// <summary>Makes relative identifiers comparable; nothing is there.</summary>
    private static readonly Uri Nowhere = new("schema://here/");

    private readonly Dictionary<string, JsonElement> _roots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (SchemaPlace Place, JsonElement Node)> _byId = new(StringComparer.Ordinal);
    private readonly Dictionary<SchemaPlace, Uri> _bases = [];

    /// <summary>The content of a file.</summary>
    public JsonElement RootOf(string file) => _roots[file];

    /// <summary>Adds a file with all names in it.</summary>
    public void Add(string file, JsonElement root)
    {
        if (!_roots.TryAdd(file, root))
            return;
        var own = new Uri(Nowhere, Uri.EscapeDataString(file));
        _byId[own.AbsoluteUri] = (new SchemaPlace(file, ""), root);
        Collect(new SchemaPlace(file, ""), root, own);
    }

    /// <summary>Finds what a reference leads to; <see langword="null"/> for nothing.</summary>
    public (SchemaPlace Place, JsonElement Node)? Find(SchemaPlace from, string reference)
    {
        var fragment = reference.IndexOf('#') is >= 0 and var hash ? Uri.UnescapeDataString(reference[(hash + 1)..]) : "";
        if (!Uri.TryCreate(BaseOf(from), reference, out var address))
            return null;
        var id = address.GetLeftPart(UriPartial.Query);
        if (fragment.Length > 0 && fragment[0] != '/')
            return _byId.TryGetValue(id + "#" + fragment, out var anchored) ? anchored : FindInFile(from, reference, fragment);
        return _byId.TryGetValue(id, out var known) ? Follow(known, fragment) : FindInFile(from, reference, fragment);
    }

    /// <summary>References are to files beside the one that refers, too, whatever the identifiers say.</summary>
    private (SchemaPlace Place, JsonElement Node)? FindInFile(SchemaPlace from, string reference, string fragment)
    {
        if (reference.StartsWith('#') || source.Resolve(from.File, reference) is not { } file)
            return null;
        Add(file, source.Read(file));
        if (fragment.Length == 0 || fragment[0] == '/')
            return Follow((new SchemaPlace(file, ""), _roots[file]), fragment);
        return _byId.TryGetValue(BaseOf(new SchemaPlace(file, "")).AbsoluteUri + "#" + fragment, out var anchored) ? anchored : null;
    }

    private static (SchemaPlace Place, JsonElement Node)? Follow((SchemaPlace Place, JsonElement Node) from, string pointer)
    {
        var (place, node) = from;
        foreach (var escaped in pointer.Split('/').Skip(1))
        {
            var step = escaped.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (node.ValueKind == JsonValueKind.Object && node.TryGetProperty(step, out var member))
                node = member;
            else if (
                node.ValueKind == JsonValueKind.Array
                && int.TryParse(step, out var index)
                && index >= 0
                && index < node.GetArrayLength()
            )
                node = node[index];
            else
                return null;
            place = place[step];
        }

        return (place, node);
    }

    /// <summary>The base of a place: that of the closest schema around it with an identifier.</summary>
    private Uri BaseOf(SchemaPlace place)
    {
        for (var pointer = place.Pointer; ; pointer = pointer[..pointer.LastIndexOf('/')])
        {
            if (_bases.TryGetValue(place with { Pointer = pointer }, out var known))
                return known;
        }
    }

    private void Collect(SchemaPlace place, JsonElement node, Uri around)
    {
        if (node.ValueKind == JsonValueKind.Array)
        {
            var i = 0;
            foreach (var item in node.EnumerateArray())
                Collect(place[$"{i++}"], item, around);
            return;
        }

        if (node.ValueKind != JsonValueKind.Object)
            return;
        var own = around;
        if (Text(node, "$id") is { } id && Uri.TryCreate(around, id, out var named))
        {
            if (named.Fragment.Length > 1) // an anchor of draft 7
                _byId.TryAdd(named.AbsoluteUri, (place, node));
            else
                _byId.TryAdd((own = new Uri(named.GetLeftPart(UriPartial.Query))).AbsoluteUri, (place, node));
        }

        if (own != around || place.Pointer.Length == 0)
            _bases[place] = own;
        if (Text(node, "$anchor") is { } anchor)
            _byId.TryAdd(own.AbsoluteUri + "#" + anchor, (place, node));
        foreach (var member in node.EnumerateObject())
        {
            if (member.Name is not ("enum" or "const" or "default" or "examples")) // values, not schemas
                Collect(place[member.Name], member.Value, own);
        }
    }

    private static string? Text(JsonElement node, string name) =>
        node.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
