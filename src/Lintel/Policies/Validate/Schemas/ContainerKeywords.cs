using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>
/// <c>properties</c>, <c>patternProperties</c>, <c>additionalProperties</c>, <c>propertyNames</c>: in one pass over the members.
/// </summary>
internal sealed class MembersKeyword : Keyword
{
    public Dictionary<string, Schema> Properties { get; } = new(StringComparer.Ordinal);

    public List<(Regex Pattern, Schema Schema)> Patterns { get; } = [];

    /// <summary>For all members that the others have not looked at.</summary>
    public Schema? Additional { get; set; }

    /// <summary>For the names, as strings.</summary>
    public Schema? Names { get; set; }

    public bool IsEmpty => Properties.Count + Patterns.Count == 0 && Additional is null && Names is null;

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return true;
        var isValid = true;
        foreach (var member in value.EnumerateObject())
        {
            var name = member.Name;
            run.Push(name);
            isValid &= CheckName(name, run) & CheckValue(name, member.Value, run, evaluated);
            run.Pop();
            if (!isValid && !run.Collects)
                return false;
        }

        return isValid;
    }

    private bool CheckValue(string name, JsonElement value, Validation run, Evaluated? evaluated)
    {
        var isKnown = Properties.TryGetValue(name, out var schema);
        var isValid = !isKnown || schema!.Check(value, run);
        foreach (var (pattern, other) in Patterns)
        {
            if (!pattern.IsMatch(name))
                continue;
            isKnown = true;
            isValid &= other.Check(value, run);
        }

        if (!isKnown && Additional is not null)
        {
            isKnown = true;
            isValid &= Additional.Check(value, run);
        }

        if (isKnown)
            evaluated?.Add(name);
        return isValid;
    }

    private bool CheckName(string name, Validation run)
    {
        if (Names is null)
            return true;
        run.BeQuiet();
        using var text = JsonDocument.Parse($"\"{JsonEncodedText.Encode(name)}\"");
        var isValid = Names.Check(text.RootElement, run);
        run.Speak();
        return isValid || run.Fail("has a name that is not allowed");
    }
}

/// <summary><c>required</c> and <c>dependentRequired</c>.</summary>
internal sealed class RequiredKeyword(string[] names, string? ifThere = null) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != JsonValueKind.Object || (ifThere is not null && !value.TryGetProperty(ifThere, out _)))
            return true;
        var isValid = true;
        foreach (var name in names)
            isValid &= value.TryGetProperty(name, out _) || run.Fail("is required", name);
        return isValid;
    }
}

/// <summary><c>prefixItems</c> and <c>items</c>; in draft 7 <c>items</c> and <c>additionalItems</c>.</summary>
internal sealed class ItemsKeyword(Schema[] prefix, Schema? rest) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return true;
        var (isValid, i) = (true, 0);
        foreach (var item in value.EnumerateArray())
        {
            if ((i < prefix.Length ? prefix[i] : rest) is not { } schema)
                break;
            run.Push(i);
            isValid &= schema.Check(item, run);
            run.Pop();
            if (!isValid && !run.Collects)
                return false;
            evaluated?.Add(i);
            i++;
        }

        return isValid;
    }
}

/// <summary><c>contains</c>, with <c>minContains</c> and <c>maxContains</c>.</summary>
internal sealed class ContainsKeyword(Schema schema, long minimum, long maximum) : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return true;
        var (count, i) = (0L, 0);
        run.BeQuiet();
        foreach (var item in value.EnumerateArray())
        {
            if (schema.Check(item, run))
            {
                count++;
                evaluated?.Add(i);
            }

            i++;
        }

        run.Speak();
        return (count >= minimum || run.Fail($"contains fewer than {minimum} of the items that are required"))
            && (count <= maximum || run.Fail($"contains more than {maximum} of the items that are limited"));
    }
}

/// <summary><c>uniqueItems</c>.</summary>
internal sealed class UniqueKeyword : Keyword
{
    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated) =>
        value.ValueKind != JsonValueKind.Array || JsonValues.AreUnique(value) || run.Fail("has items that are equal");
}

/// <summary><c>unevaluatedProperties</c> and <c>unevaluatedItems</c>: for what no other keyword of the schema has looked at.</summary>
internal sealed class UnevaluatedKeyword(Schema schema, bool ofItems) : Keyword
{
    public override int Order => 2;

    public override bool Tracks => true;

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated) =>
        ofItems ? CheckItems(value, run, evaluated!) : CheckMembers(value, run, evaluated!);

    private bool CheckMembers(JsonElement value, Validation run, Evaluated evaluated)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return true;
        var isValid = true;
        foreach (var member in value.EnumerateObject())
        {
            var name = member.Name;
            if (evaluated.Has(name))
                continue;
            run.Push(name);
            isValid &= schema.Check(member.Value, run);
            run.Pop();
            evaluated.Add(name);
        }

        return isValid;
    }

    private bool CheckItems(JsonElement value, Validation run, Evaluated evaluated)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return true;
        var (isValid, i) = (true, 0);
        foreach (var item in value.EnumerateArray())
        {
            if (!evaluated.Has(i))
            {
                run.Push(i);
                isValid &= schema.Check(item, run);
                run.Pop();
                evaluated.Add(i);
            }

            i++;
        }

        return isValid;
    }
}
