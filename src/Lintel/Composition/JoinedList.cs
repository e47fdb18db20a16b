using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Composition;

/// <summary>A call's list with other answers put into its elements.</summary>
internal static class JoinedList
{
    /// <summary>Joins.</summary>
    /// <param name="parent">A list of objects, or one object; anything else stays as it is.</param>
    /// <param name="children">A list; what failed is null in it, and belongs nowhere.</param>
    /// <param name="join">Which belong together: keys are compared as text, so that <c>42</c> and <c>"42"</c> are the same.</param>
    public static Value Of(in Value parent, in Value children, Join join)
    {
        if (parent.Kind is not (JsonValueKind.Array or JsonValueKind.Object))
            return parent;
        var byKey = Index(children, join.Key);
        var name = new Names(join.As)[0];
        if (parent.Kind == JsonValueKind.Object)
            return With(parent, name, Find(parent, byKey, join.ParentKey));
        var elements = new Value[parent.Count];
        var index = 0;
        foreach (var element in new Elements(parent))
            elements[index++] = element.Kind == JsonValueKind.Object ? With(element, name, Find(element, byKey, join.ParentKey)) : element;
        return Value.Array(elements);
    }

    private static Dictionary<string, Value> Index(in Value children, Expression key)
    {
        var byKey = new Dictionary<string, Value>(StringComparer.Ordinal);
        if (children.Kind != JsonValueKind.Array)
            return byKey;
        foreach (var child in new Elements(children))
        {
            if (key.TryEvaluate(child, out var value, out _) && CallInputs.Scalar(value) is { } text)
                byKey.TryAdd(text, child);
        }

        return byKey;
    }

    private static Value Find(in Value element, Dictionary<string, Value> byKey, Expression parentKey)
    {
        if (!parentKey.TryEvaluate(element, out var key, out _))
            return Value.Null;
        if (key.Kind != JsonValueKind.Array)
            return CallInputs.Scalar(key) is { } text && byKey.TryGetValue(text, out var child) ? child : Value.Null;

        // A list of keys: the element belongs to several answers.
        var found = new List<Value>(key.Count);
        foreach (var item in new Elements(key))
        {
            if (CallInputs.Scalar(item) is { } text && byKey.TryGetValue(text, out var child))
                found.Add(child);
        }

        return Value.Array([.. found]);
    }

    /// <summary>The object with one property more; one of that name gives way.</summary>
    private static Value With(in Value element, Name name, in Value value)
    {
        var names = new List<Name>(element.Count + 1);
        var values = new List<Value>(element.Count + 1);
        for (var property = new Properties(element); property.MoveNext();)
        {
            if (property.Text.SequenceEqual(name.Utf8))
                continue;
            names.Add(property.Name);
            values.Add(property.Value);
        }

        names.Add(name);
        values.Add(value);
        return MergedObject.Of(names, values);
    }
}
