using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lintel.Policies.Validate.Schemas;

/// <summary><c>type</c>.</summary>
internal sealed class TypeKeyword(string[] types) : Keyword
{
    public static readonly string[] All = ["null", "boolean", "object", "array", "number", "string", "integer"];

    public override int Order => 0;

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        foreach (var type in types)
        {
            if (Is(value, type))
                return true;
        }

        return run.Fail(types is [var only] ? $"is not of the type {only}" : $"is of none of the types {string.Join(", ", types)}");
    }

    private static bool Is(JsonElement value, string type) =>
        value.ValueKind switch
        {
            JsonValueKind.Null => type == "null",
            JsonValueKind.True or JsonValueKind.False => type == "boolean",
            JsonValueKind.Object => type == "object",
            JsonValueKind.Array => type == "array",
            JsonValueKind.String => type == "string",
            _ => type == "number" || (type == "integer" && JsonNumber.TryParse(value, out var number) && number.IsInteger),
        };
}

/// <summary><c>enum</c> and <c>const</c>.</summary>
internal sealed class EnumKeyword(JsonElement[] values) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        foreach (var allowed in values)
        {
            if (JsonValues.AreEqual(allowed, value))
                return true;
        }

        return run.Fail(values.Length == 1 ? "is not the value that is required" : "is none of the values that are allowed");
    }
}

/// <summary>The keywords that bound numbers.</summary>
internal sealed class NumberKeyword(string name, string text, JsonNumber bound) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != JsonValueKind.Number)
            return true;
        if (!JsonNumber.TryParse(value, out var number))
            return run.Fail($"has more than {JsonNumber.MaxLength} characters, or a huge exponent");
        return name switch
        {
            "minimum" => number.CompareTo(bound) >= 0 || run.Fail($"is less than {text}"),
            "maximum" => number.CompareTo(bound) <= 0 || run.Fail($"is greater than {text}"),
            "exclusiveMinimum" => number.CompareTo(bound) > 0 || run.Fail($"is not greater than {text}"),
            "exclusiveMaximum" => number.CompareTo(bound) < 0 || run.Fail($"is not less than {text}"),
            _ => number.IsMultipleOf(bound) || run.Fail($"is not a multiple of {text}"),
        };
    }
}

/// <summary>The keywords that count: characters, items, members.</summary>
internal sealed class SizeKeyword(JsonValueKind kind, bool isMinimum, long bound) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != kind)
            return true;
        long size = kind switch
        {
            JsonValueKind.String => CharactersOf(value.GetString()!),
            JsonValueKind.Array => value.GetArrayLength(),
            _ => value.GetPropertyCount(),
        };
        if (isMinimum ? size >= bound : size <= bound)
            return true;
        var what = kind switch
        {
            JsonValueKind.String => "characters",
            JsonValueKind.Array => "items",
            _ => "members",
        };
        return run.Fail($"has {(isMinimum ? "fewer" : "more")} than {bound} {what}");
    }

    /// <summary>Code points, as RFC 8259 understands characters.</summary>
    private static long CharactersOf(string text)
    {
        var count = text.Length;
        foreach (var c in text)
            count -= char.IsLowSurrogate(c) ? 1 : 0;
        return count;
    }
}

/// <summary><c>pattern</c>: found anywhere in the text, in linear time.</summary>
internal sealed class PatternKeyword(Regex pattern) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated) =>
        value.ValueKind != JsonValueKind.String || pattern.IsMatch(value.GetString()!) || run.Fail("does not match the pattern");
}

/// <summary><c>format</c>.</summary>
internal sealed class FormatKeyword(string name, Predicate<string> test) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated) =>
        value.ValueKind != JsonValueKind.String || test(value.GetString()!) || run.Fail($"is not of the format {name}");
}
