using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Equality and order of values: numbers by value, strings by code points, objects regardless of the order of members.</summary>
internal static class Comparison
{
    /// <summary>
    /// Whether two values are equal. False, with the evaluation limit exhausted, if the comparison takes too long: values may share their
    /// parts, so that a small one can be arbitrarily deep.
    /// </summary>
    public static bool AreEqual(in Value a, in Value b, ref Evaluation evaluation)
    {
        var kind = a.Kind;
        if (kind != b.Kind || !evaluation.TrySpend(1))
            return false;
        return kind switch
        {
            JsonValueKind.Number => Digits.Compare(a.NumberText, b.NumberText) == 0,
            JsonValueKind.String => AreEqualTexts(a, b),
            JsonValueKind.Array => AreEqualArrays(a, b, ref evaluation),
            JsonValueKind.Object => AreEqualObjects(a, b, ref evaluation),
            _ => true,
        };
    }

    /// <summary>The order of two strings or two numbers.</summary>
    public static int Compare(in Value a, in Value b)
    {
        // UTF-8 sorts as code points do.
        return a.Kind == JsonValueKind.Number
            ? Digits.Compare(a.NumberText, b.NumberText)
            : Value.TextOf(a).SequenceCompareTo(Value.TextOf(b));
    }

    private static bool AreEqualTexts(in Value a, in Value b)
    {
        if (a.IsEscaped)
            return b.IsEscaped ? Value.TextOf(a).SequenceEqual(Value.TextOf(b)) : Escapes.Means(a.Quoted, b.Quoted);
        return b.IsEscaped ? Escapes.Means(b.Quoted, a.Quoted) : a.Quoted.SequenceEqual(b.Quoted);
    }

    private static bool AreEqualArrays(in Value a, in Value b, ref Evaluation evaluation)
    {
        if (a.Count != b.Count)
            return false;
        var others = new Elements(b);
        foreach (var item in new Elements(a))
        {
            if (!others.MoveNext() || !AreEqual(item, others.Current, ref evaluation))
                return false;
        }

        return true;
    }

    private static bool AreEqualObjects(in Value a, in Value b, ref Evaluation evaluation)
    {
        if (a.Count != b.Count)
            return false;

        // Objects of one origin have one order: no search.
        var others = new Properties(b);
        var properties = new Properties(a);
        while (properties.MoveNext())
        {
            if (!others.MoveNext() || !properties.Text.SequenceEqual(others.Text))
                return AreEqualMembers(a, b, ref evaluation);
            if (!AreEqual(properties.Value, others.Value, ref evaluation))
                return false;
        }

        return true;
    }

    private static bool AreEqualMembers(in Value a, in Value b, ref Evaluation evaluation)
    {
        if (!evaluation.TrySpend(2L * a.Count))
            return false;
        var (members, others) = (TableOf(a), TableOf(b));
        if (members.Count != others.Count)
            return false;
        foreach (var (name, value) in members)
        {
            if (!others.TryGetValue(name, out var other) || !AreEqual(value, other, ref evaluation))
                return false;
        }

        return true;
    }

    private static Dictionary<Name, Value> TableOf(in Value value)
    {
        var table = Names.NewTable<Value>(value.Count);
        var properties = new Properties(value);
        while (properties.MoveNext())
            table[properties.Name] = properties.Value;
        return table;
    }
}
