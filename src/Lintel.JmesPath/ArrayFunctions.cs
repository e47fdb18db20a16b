using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Functions that make arrays, and <c>not_null</c>.</summary>
internal static class ArrayFunctions
{
    /// <summary>Unlike a projection it keeps nulls.</summary>
    public static bool Map(Arguments arguments, out Value result)
    {
        result = default;
        var body = arguments.Expression(0);
        var collected = new Collected(Math.Min(arguments[1].Count, arguments.Evaluation.Remaining));
        foreach (var element in new Elements(arguments[1]))
        {
            if (!arguments.Evaluation.TrySpend(1) || !body.TryEvaluate(element, ref arguments.Evaluation, out var item))
                return false;
            collected.Add(item);
        }

        result = collected.ToValue();
        return true;
    }

    public static bool NotNull(Arguments arguments, out Value result)
    {
        result = default;
        for (var i = 0; i < arguments.Count && result.IsNull; i++)
            result = arguments[i];
        return true;
    }

    public static bool Reverse(Arguments arguments, out Value result)
    {
        result = default;
        ref readonly var subject = ref arguments[0];
        if (subject.Kind == JsonValueKind.String)
        {
            var text = Value.TextOf(subject);
            if (!arguments.Evaluation.TrySpendBytes(text.Length))
                return false;
            result = Value.String(CodePoints.Reverse(text));
            return true;
        }

        if (!arguments.Evaluation.TrySpend(subject.Count))
            return false;
        var items = new Value[subject.Count];
        var at = items.Length;
        foreach (var item in new Elements(subject))
            items[--at] = item;
        result = Value.Array(items);
        return true;
    }

    public static bool ToArray(Arguments arguments, out Value result)
    {
        result = arguments[0].Kind == JsonValueKind.Array ? arguments[0] : Value.Array(arguments[0]);
        return true;
    }
}
