using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>
/// How one kind of value is written. The same object reads it and describes it in the JSON Schema, so the two cannot differ.
/// </summary>
/// <typeparam name="T">What it becomes.</typeparam>
internal abstract class Grammar<T>
{
    /// <summary>Reads a node; on failure the report has at least one problem more.</summary>
    public abstract bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T value);

    /// <summary>The JSON Schema of what <see cref="TryRead"/> accepts.</summary>
    public abstract JsonObject Describe(SchemaDefinitions definitions);

    protected static bool Fail(out T value)
    {
        value = default!;
        return false;
    }
}

/// <summary>A list of values of one kind; a single value is a list of one where <c>allowSingle</c> says so.</summary>
/// <param name="item">Reads an item.</param>
/// <param name="minimum">How many there are at least.</param>
/// <param name="allowSingle">Whether a single value is a list of one.</param>
/// <param name="fewHint">What to do about a list that is too short.</param>
internal sealed class ListGrammar<T>(Grammar<T> item, int minimum = 0, bool allowSingle = false, string? fewHint = null)
    : Grammar<ValueList<T>>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ValueList<T> value)
    {
        if (allowSingle && node is (ScalarNode { IsNull: false } or MapNode))
        {
            var read = item.TryRead(node, path, report, out var single);
            value = read ? [single] : [];
            return read;
        }

        // .NET's configuration system cannot tell an empty list from an empty value.
        var items = node switch
        {
            ListNode list => list.Items,
            ScalarNode { Position.Line: 0, IsNull: true } => [],
            _ => null,
        };
        if (items is null)
        {
            report.Add("wrong-type", node, path, $"a list is expected, not {node.Kind}", "write `[a, b]`, or one `- item` a line");
            return Fail(out value);
        }

        if (items.Count < minimum)
        {
            report.Add("out-of-range", node, path, $"at least {minimum} item is expected", fewHint);
            return Fail(out value);
        }

        var all = true;
        var result = new List<T>(items.Count);
        for (var i = 0; i < items.Count; i++)
        {
            if (item.TryRead(items[i], path[i], report, out var one))
                result.Add(one);
            else
                all = false;
        }

        value = [.. result];
        return all;
    }

    public override JsonObject Describe(SchemaDefinitions definitions)
    {
        var list = new JsonObject { ["type"] = "array", ["items"] = item.Describe(definitions) };
        if (minimum > 0)
            list["minItems"] = minimum;
        return allowSingle ? SchemaDefinitions.AnyOf(item.Describe(definitions), list) : list;
    }
}

/// <summary>A map from names to values of one kind, in the order in which it is written.</summary>
/// <param name="item">Reads a value.</param>
/// <param name="name">What names are like.</param>
/// <param name="emptyHint">Where a map without any entry is a mistake: what to do about it.</param>
internal sealed class MapGrammar<T>(Grammar<T> item, Grammar<string>? name = null, string? emptyHint = null) : Grammar<ValueMap<T>>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out ValueMap<T> value)
    {
        if (emptyHint is not null && node is ScalarNode { IsNull: true } or MapNode { Entries.Count: 0 })
        {
            report.Add("out-of-range", node, path, "at least 1 entry is expected", emptyHint);
            return Fail(out value);
        }

        if (node is ScalarNode { IsNull: true })
        {
            value = [];
            return true;
        }

        if (node is not MapNode map)
        {
            report.Add("wrong-type", node, path, $"a map of names is expected, not {node.Kind}");
            return Fail(out value);
        }

        var all = true;
        var entries = new List<KeyValuePair<string, T>>(map.Entries.Count);
        foreach (var entry in map.Entries)
        {
            if (name is not null)
                all &= name.TryRead(new ScalarNode(entry.KeyPosition, entry.Key, isQuoted: true), path[entry.Key], report, out _);
            if (item.TryRead(entry.Value, path[entry.Key], report, out var one))
                entries.Add(new(entry.Key, one));
            else
                all = false;
        }

        // What could be read goes on to the later passes even if a neighbour failed: all errors are listed at once.
        value = new ValueMap<T>(entries);
        return all;
    }

    public override JsonObject Describe(SchemaDefinitions definitions)
    {
        var map = new JsonObject { ["type"] = "object", ["additionalProperties"] = item.Describe(definitions) };
        if (name is not null)
            map["propertyNames"] = name.Describe(definitions);
        if (emptyHint is not null)
            map["minProperties"] = 1;
        return map;
    }
}

/// <summary>A value with a short form, a single value, that is sugar for the long form.</summary>
internal sealed class ShortFormGrammar<T>(ShortForm<T> shortForm, string shortDescription, Grammar<T> longForm) : Grammar<T>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T value) =>
        node switch
        {
            ScalarNode { IsNull: false } scalar => shortForm(scalar, path, report, out value),
            MapNode => longForm.TryRead(node, path, report, out value),
            _ => Refuse(node, path, report, out value),
        };

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        SchemaDefinitions.AnyOf(new JsonObject { ["type"] = "string", ["description"] = shortDescription }, longForm.Describe(definitions));

    private bool Refuse(ConfigNode node, KeyPath path, ConfigReport report, out T value)
    {
        report.Add(
            "wrong-type",
            node,
            path,
            $"a single value or a map of settings is expected, not {node.Kind}",
            $"as a single value: {shortDescription}{(RecordGrammar.NothingHint(node) is { } hint ? "; " + hint : "")}"
        );
        return Fail(out value);
    }
}

/// <summary>Reads the short form.</summary>
internal delegate bool ShortForm<T>(ScalarNode scalar, KeyPath path, ConfigReport report, out T value);

/// <summary>What all records have in common.</summary>
internal static class RecordGrammar
{
    /// <summary>A key without any value has often lost it: its lines are there, and are not indented deeper.</summary>
    public static string? NothingHint(ConfigNode node) =>
        node is ScalarNode { IsNull: true, Position.Line: > 0 } ? "check that the lines that belong to it are indented deeper" : null;
}

/// <summary>A map with known keys that becomes a record.</summary>
internal sealed class RecordGrammar<T>(Func<RecordFields, T> build) : Grammar<T>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T value)
    {
        if (node is not MapNode map)
        {
            report.Add("wrong-type", node, path, $"a map of settings is expected, not {node.Kind}", RecordGrammar.NothingHint(node));
            return Fail(out value);
        }

        var fields = new RecordFields(map, path, report);
        value = build(fields);
        fields.ReportUnknownKeys(typeof(T));
        return !fields.IsUnusable || Fail(out value);
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => definitions.Reference(typeof(T), () =>
        {
            var fields = new RecordFields(definitions, typeof(T));
            build(fields);
            return fields.Schema!;
        });
}
