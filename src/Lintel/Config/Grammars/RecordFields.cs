using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>
/// Hands a record's builder its keys, one call a key. The builder runs in two ways: over a node, and over none to describe itself for the
/// schema.
/// </summary>
internal sealed class RecordFields
{
    private readonly MapNode _node;
    private readonly KeyPath _path;
    private readonly ConfigReport _report;
    private readonly SchemaDefinitions? _definitions;
    private Type? _owner;
    private readonly List<string> _known = [];
    private readonly HashSet<string> _notYet = [];
    private readonly HashSet<string> _failed = [];

    public RecordFields(MapNode node, KeyPath path, ConfigReport report)
    {
        _node = node;
        _path = path;
        _report = report;
    }

    public RecordFields(SchemaDefinitions definitions, Type owner)
        : this(new MapNode(default), KeyPath.Root, new ConfigReport())
    {
        _definitions = definitions;
        _owner = owner;
        Schema = new JsonObject
        {
            ["type"] = "object",
            ["additionalProperties"] = false,
            ["properties"] = new JsonObject(),
        };
    }

    /// <summary>The record's schema, when it describes itself.</summary>
    public JsonObject? Schema { get; }

    /// <summary>Whether the record cannot be used even for further checks: something that it needs is missing.</summary>
    public bool IsUnusable { get; set; }

    /// <summary>Reads keys that are written here and documented as those of another record.</summary>
    public T ReadAs<T>(Func<RecordFields, T> read)
    {
        var owner = _owner;
        _owner = typeof(T);
        var value = read(this);
        _owner = owner;
        return value;
    }

    /// <summary>A key with a default.</summary>
    public T Get<T>(string key, Grammar<T> grammar, T fallback) => TryTake(key, grammar, required: false, out var value) ? value : fallback;

    /// <summary>A key that may be absent.</summary>
    public T? Find<T>(string key, Grammar<T> grammar)
        where T : class => TryTake(key, grammar, required: false, out var value) ? value : null;

    /// <summary>A key that may be absent.</summary>
    public T? FindValue<T>(string key, Grammar<T> grammar)
        where T : struct => TryTake(key, grammar, required: false, out var value) ? value : null;

    /// <summary>A key that must be there. The result is <see langword="null"/> when it is not: the record is then never used.</summary>
    public T Require<T>(string key, Grammar<T> grammar) => TryTake(key, grammar, required: true, out var value) ? value : default!;

    /// <summary>A list that is empty when the key is absent.</summary>
    public ValueList<T> List<T>(string key, Grammar<T> item, bool allowSingle = false) =>
        Get(key, new ListGrammar<T>(item, allowSingle: allowSingle), []);

    /// <summary>
    /// A list that is empty when the key is absent, and a mistake when it is written and empty: it would mean everything.
    /// </summary>
    public ValueList<T> FilledList<T>(string key, Grammar<T> item, string emptyHint, bool allowSingle = false) =>
        Get(key, new ListGrammar<T>(item, minimum: 1, allowSingle, emptyHint), []);

    /// <summary>A map that is empty when the key is absent.</summary>
    public ValueMap<T> Map<T>(string key, Grammar<T> item, Grammar<string>? name = null) => Get(key, new MapGrammar<T>(item, name), []);

    /// <summary>A map that is empty when the key is absent, and a mistake when it is written and empty: it would mean everything.</summary>
    public ValueMap<T> FilledMap<T>(string key, Grammar<T> item, string emptyHint, Grammar<string>? name = null) =>
        Get(key, new MapGrammar<T>(item, name, emptyHint), []);

    /// <summary>Keys of the grammar whose behaviour is not built: refused, never ignored.</summary>
    public void NotYet(params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            _notYet.Add(key);
            if (_node.Find(key) is { } entry)
                Report(
                    "not-available",
                    key,
                    $"`{entry.Key}` is not available yet",
                    "remove it: this version of Lintel does not support it"
                );
        }
    }

    /// <summary>Reports a mistake that lies between keys.</summary>
    public void Report(string code, string? key, string message, string? hint = null)
    {
        var entry = key is null ? null : _node.Find(key);
        _report.Add(
            new ConfigProblem(code, entry?.KeyPosition ?? _node.Position, (key is null ? _path : _path[key]).ToString(), message, hint)
        );
    }

    /// <summary>Reports a value that is valid but probably not intended.</summary>
    public void Warn(string code, string key, string message, string? hint = null)
    {
        var entry = _node.Find(key);
        _report.Add(
            new ConfigProblem(code, entry?.KeyPosition ?? _node.Position, _path[key].ToString(), message, hint)
            {
                Severity = ConfigSeverity.Warning,
            }
        );
    }

    /// <summary>Whether the user wrote no key at all.</summary>
    public bool IsEmpty => _node.Entries.Count == 0;

    /// <summary>Whether the user wrote this key.</summary>
    public bool Has(string key) => _node.Find(key) is not null;

    /// <summary>
    /// Whether the user wrote this key with a value that was refused, in whole or in part: what it says as a whole is then not known.
    /// </summary>
    public bool HasFailed(string key) => _failed.Contains(key);

    /// <summary>False while the record only describes itself: checks between keys have nothing to check then.</summary>
    public bool IsReading => _definitions is null;

    /// <summary>Refuses what is written and not known, with a hint: where it stands instead, or what was meant.</summary>
    public void ReportUnknownKeys(Type record)
    {
        foreach (var entry in _node.Entries)
        {
            if (_known.Contains(entry.Key) || _notYet.Contains(entry.Key))
                continue;
            _report.Add(
                new ConfigProblem(
                    "unknown-key",
                    entry.KeyPosition,
                    _path[entry.Key].ToString(),
                    $"unknown key `{entry.Key}`",
                    Hint(record, entry.Key)
                )
            );
        }
    }

    private string? Hint(Type record, string key) =>
        Elsewhere.For(record, key) ?? Suggestion.Nearest(key, _known.Concat(_notYet)) ?? Suggestion.For(key, _known);

    private bool TryTake<T>(string key, Grammar<T> grammar, bool required, out T value)
    {
        _known.Add(key);
        value = default!;
        if (_definitions is not null)
        {
            Describe(key, grammar, required);
            return false;
        }

        if (_node.Find(key) is not { } entry)
        {
            if (required)
                Report("missing-key", null, $"`{key}` is missing");
            IsUnusable |= required;
            return false;
        }

        if (grammar.TryRead(entry.Value, _path[key], _report, out value))
            return true;

        _failed.Add(key);

        // A list or map that lost some items is still worth further checks, so that all problems are reported at once:
        // the report keeps the configuration from being used anyway.
        if (default(T) is null && value is not null)
            return true;
        IsUnusable |= required;
        return false;
    }

    private void Describe<T>(string key, Grammar<T> grammar, bool required)
    {
        var description = grammar.Describe(_definitions!);
        if (_definitions!.DocumentationOf(_owner!, key) is { } text)
            description["description"] = text;
        Schema!["properties"]![key] = description;
        if (!required)
            return;
        if (Schema["required"] is not JsonArray names)
            Schema["required"] = names = [];
        names.Add((JsonNode)key);
    }
}
