using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Functions for strings, including those that accept strings among other types.</summary>
internal static class StringFunctions
{
    private static readonly FrozenDictionary<string, Value> TypeWords = new[]
    {
        "null",
        "boolean",
        "number",
        "string",
        "array",
        "object",
    }.ToFrozenDictionary(w => w, Value.String);

    public static bool Contains(Arguments arguments, out Value result)
    {
        ref readonly var subject = ref arguments[0];
        ref readonly var sought = ref arguments[1];
        var found =
            subject.Kind == JsonValueKind.String
                ? sought.Kind == JsonValueKind.String && ContainsText(subject, sought, ref arguments.Evaluation)
                : ContainsItem(subject, sought.Unescaped(), ref arguments.Evaluation);
        result = Value.Boolean(found);
        return arguments.Evaluation.Problem is null;
    }

    public static bool StartsWith(Arguments arguments, out Value result)
    {
        result = Value.Boolean(Value.TextOf(arguments[0]).StartsWith(Value.TextOf(arguments[1])));
        return true;
    }

    public static bool EndsWith(Arguments arguments, out Value result)
    {
        result = Value.Boolean(Value.TextOf(arguments[0]).EndsWith(Value.TextOf(arguments[1])));
        return true;
    }

    /// <summary>A string's code points, an array's elements, an object's members.</summary>
    public static bool Length(Arguments arguments, out Value result)
    {
        result = default;
        if (arguments[0].Kind != JsonValueKind.String)
            result = Value.Number(arguments[0].Count);
        else
        {
            var text = Value.TextOf(arguments[0]);
            if (!arguments.Evaluation.TrySpendBytes(text.Length))
                return false;
            result = Value.Number(CodePoints.Length(text));
        }

        return true;
    }

    public static bool Join(Arguments arguments, out Value result)
    {
        result = default;
        var glue = Value.TextOf(arguments[0]);
        var joined = new ArrayBufferWriter<byte>();
        var isFirst = true;
        foreach (var item in new Elements(arguments[1]))
        {
            if (item.Kind != JsonValueKind.String)
                return arguments.Refuse("strings", $"{Evaluation.WordFor(item.Kind)} among the elements");
            var text = Value.TextOf(item);
            if (!arguments.Evaluation.TrySpendBytes(glue.Length + text.Length))
                return false;
            if (!isFirst)
                joined.Write(glue);
            joined.Write(text);
            isFirst = false;
        }

        result = Value.String(joined.WrittenSpan.ToArray());
        return true;
    }

    /// <summary>A string as it is, anything else as compact JSON.</summary>
    public static bool ToText(Arguments arguments, out Value result)
    {
        result = arguments[0];
        if (result.Kind == JsonValueKind.String)
            return true;
        var buffer = new ArrayBufferWriter<byte>();
        var text = new JsonText(buffer, arguments.Evaluation.RemainingBytes, compact: true);
        text.Append(result);
        text.Flush();
        var length = text.IsFull ? long.MaxValue : buffer.WrittenCount;
        result = Value.String(text.IsFull ? [] : buffer.WrittenSpan.ToArray());
        return arguments.Evaluation.TrySpendBytes(length);
    }

    public static bool TypeOf(Arguments arguments, out Value result)
    {
        result = TypeWords[Evaluation.WordFor(arguments[0].Kind)];
        return true;
    }

    private static bool ContainsText(in Value text, in Value part, ref Evaluation evaluation)
    {
        var whole = Value.TextOf(text);
        return evaluation.TrySpendBytes(whole.Length) && CodePoints.Contains(whole, Value.TextOf(part));
    }

    private static bool ContainsItem(in Value array, in Value sought, ref Evaluation evaluation)
    {
        foreach (var item in new Elements(array))
        {
            if (Comparison.AreEqual(item, sought, ref evaluation))
                return true;
            if (evaluation.Problem is not null)
                return false;
        }

        return false;
    }
}
