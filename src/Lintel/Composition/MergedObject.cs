using System.Text.Json;
using Lintel.Config;
using Lintel.JmesPath;

namespace Lintel.Composition;

/// <summary>An object that several calls write into, under a rule for what more than one of them writes.</summary>
internal static class MergedObject
{
    /// <summary>The default answer of calls that share places.</summary>
    public static Value Of(CallRunner runner, ConflictRule rule)
    {
        var merged = new Entries();
        foreach (var result in runner.Results)
        {
            if (result.Call.Property is null)
                continue;
            var value = result.Part.Value;
            if (!result.Call.IsSpread)
            {
                merged.Put(new Names(result.Call.Config.As ?? result.Call.Name)[0], value, rule);
                continue;
            }

            // Null, for an optional call that failed or was skipped, has no properties to give.
            if (value.Kind != JsonValueKind.Object)
                continue;
            for (var property = new Properties(value); property.MoveNext();)
                merged.Put(property.Name, property.Value, rule);
        }

        return merged.ToValue();
    }

    /// <summary>An object of these members; of two with one name the later one counts, in the place of the earlier.</summary>
    public static Value Of(List<Name> names, List<Value> values)
    {
        var entries = new Entries();
        for (var i = 0; i < names.Count; i++)
            entries.Put(names[i], values[i], ConflictRule.Last);
        return entries.ToValue();
    }

    private static Value Merge(in Value first, in Value second, ConflictRule rule)
    {
        switch (rule)
        {
            case ConflictRule.First:
                return first;
            case ConflictRule.Last:
                return second;
            case ConflictRule.Concat when first.Kind == JsonValueKind.Array && second.Kind == JsonValueKind.Array:
                return Concat(first, second);
        }

        if (first.Kind != JsonValueKind.Object || second.Kind != JsonValueKind.Object)
            return second;
        var merged = new Entries();
        for (var property = new Properties(first); property.MoveNext();)
            merged.Put(property.Name, property.Value, ConflictRule.Last);
        for (var property = new Properties(second); property.MoveNext();)
            merged.Put(property.Name, property.Value, rule);
        return merged.ToValue();
    }

    private static Value Concat(in Value first, in Value second)
    {
        var items = new Value[first.Count + second.Count];
        var count = 0;
        foreach (var item in new Elements(first))
            items[count++] = item;
        foreach (var item in new Elements(second))
            items[count++] = item;
        return Value.Array(items);
    }

    /// <summary>Members in the order in which their names came up first.</summary>
    private sealed class Entries
    {
        private readonly List<Name> _names = [];
        private readonly List<Value> _values = [];
        private readonly Dictionary<Name, int> _places = Names.NewTable<int>(8);

        public void Put(Name name, in Value value, ConflictRule rule)
        {
            if (_places.TryGetValue(name, out var place))
            {
                _values[place] = Merge(_values[place], value, rule);
                return;
            }

            _places.Add(name, _names.Count);
            _names.Add(name);
            _values.Add(value);
        }

        public Value ToValue() => Value.Object(new Names([.. _names]), [.. _values]);
    }
}
