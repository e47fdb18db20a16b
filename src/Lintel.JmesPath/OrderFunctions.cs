using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Functions that order: all elements, or all that is picked of them, must be numbers, or all strings.</summary>
internal static class OrderFunctions
{
    public static bool Sort(Arguments arguments, out Value result) => TrySort(arguments, null, out result);

    public static bool SortBy(Arguments arguments, out Value result) => TrySort(arguments, arguments.Expression(1), out result);

    public static bool Max(Arguments arguments, out Value result) => TryPick(arguments, null, 1, out result);

    public static bool MaxBy(Arguments arguments, out Value result) => TryPick(arguments, arguments.Expression(1), 1, out result);

    public static bool Min(Arguments arguments, out Value result) => TryPick(arguments, null, -1, out result);

    public static bool MinBy(Arguments arguments, out Value result) => TryPick(arguments, arguments.Expression(1), -1, out result);

    /// <summary>The sort is stable: elements of one key keep their order.</summary>
    private static bool TrySort(Arguments arguments, Node? by, out Value result)
    {
        result = default;
        var count = arguments[0].Count;
        if (count == 0)
        {
            result = arguments[0];
            return true;
        }

        // The elements, their keys and the comparisons: more than that many elements would not be sorted anyway.
        if (!arguments.Evaluation.TrySpend(count * (2L + int.Log2(count))))
            return false;
        var keyed = new (Value Key, int Place, Value Element)[count];
        var place = 0;
        foreach (var element in new Elements(arguments[0]))
        {
            if (!TryGetKey(arguments, by, element, place == 0 ? default : keyed[0].Key, out var key))
                return false;
            keyed[place] = (key, place, element);
            place++;
        }

        Array.Sort(keyed, static (a, b) => Comparison.Compare(a.Key, b.Key) is not 0 and var order ? order : a.Place.CompareTo(b.Place));
        result = Value.Array(Array.ConvertAll(keyed, k => k.Element));
        return true;
    }

    /// <summary>The first maximum or minimum element; null if there is none.</summary>
    private static bool TryPick(Arguments arguments, Node? by, int direction, out Value result)
    {
        result = default;
        var best = default(Value);
        foreach (var element in new Elements(arguments[0]))
        {
            if (!arguments.Evaluation.TrySpend(1) || !TryGetKey(arguments, by, element, best, out var key))
                return false;
            if (!best.IsNull && Comparison.Compare(key, best) * direction <= 0)
                continue;
            best = key;
            result = element;
        }

        return true;
    }

    /// <summary>What an element is ordered by.</summary>
    /// <param name="arguments">The call's.</param>
    /// <param name="by">The key expression; null if the element is its own key.</param>
    /// <param name="element">The element.</param>
    /// <param name="other">A key that is known to be good, or null.</param>
    /// <param name="key">The key.</param>
    private static bool TryGetKey(Arguments arguments, Node? by, in Value element, in Value other, out Value key)
    {
        key = element;
        if (by is not null && !by.TryEvaluate(element, ref arguments.Evaluation, out key))
            return false;
        var kind = key.Kind;
        if (kind is not (JsonValueKind.String or JsonValueKind.Number))
            return arguments.Refuse("strings or numbers to order by", Evaluation.WordFor(kind));
        if (!other.IsNull && other.Kind != kind)
            return arguments.Refuse("strings or numbers to order by", "both");
        key = key.Unescaped();
        return true;
    }
}
