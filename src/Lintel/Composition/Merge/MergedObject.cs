using System.Text.Json;
using Lintel.Composition.Calls;
using Lintel.Config;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>Builds an object that several calls write into, under a rule for conflicts between them.</summary>
internal static class MergedObject
{
    /// <summary>Returns the default answer of calls that share places.</summary>
    public static Value Of(CompositionRun run, ConflictRule rule)
    {
        var merged = new Entries();
        Value? list = null; // if all values at `.` are lists
        foreach (var result in run.Results)
        {
            if (result.Call.Property is null)
                continue;
            var value = result.Part.Value;
            if (!result.Call.IsSpread)
                merged.Put(new Names(result.Call.Config.As ?? result.Call.Name)[0], value, rule);
            else if (value.Kind == JsonValueKind.Array)
                list = list is { } before ? Merge(before, value, rule) : value;
            // Null, for an optional call that failed or was skipped, adds no properties.
            else if (value.Kind == JsonValueKind.Object)
                merged.PutAll(value, rule);
        }

        return list ?? merged.ToValue();
    }

    /// <summary>Returns an object with one more property; an existing one of that name is replaced.</summary>
    /// <param name="element">The object.</param>
    /// <param name="name">The property's name.</param>
    /// <param name="value">Its value.</param>
    /// <param name="inPlace">Whether it takes the position of an existing property of that name; otherwise it is at the end.</param>
    public static Value With(in Value element, Name name, in Value value, bool inPlace = false)
    {
        var entries = new Entries();
        for (var property = new Properties(element); property.MoveNext(); )
        {
            if (!property.Text.SequenceEqual(name.Utf8))
                entries.Put(property.Name, property.Value, ConflictRule.Last);
            else if (inPlace)
                entries.Put(name, value, ConflictRule.Last);
        }

        entries.Put(name, value, ConflictRule.Last);
        return entries.ToValue();
    }

    /// <summary>Merges two values at one place.</summary>
    internal static Value Merge(in Value first, in Value second, ConflictRule rule)
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
        merged.PutAll(first, ConflictRule.Last);
        merged.PutAll(second, rule);
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

    /// <summary>Members in the order of the first occurrence of their names.</summary>
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

        public void PutAll(in Value value, ConflictRule rule)
        {
            for (var property = new Properties(value); property.MoveNext(); )
                Put(property.Name, property.Value, rule);
        }

        public Value ToValue() => Value.Object(new Names([.. _names]), [.. _values]);
    }
}
