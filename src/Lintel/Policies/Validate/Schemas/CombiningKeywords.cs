using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary><c>allOf</c> and <c>$ref</c>.</summary>
internal sealed class AllOfKeyword(Schema[] schemas) : Keyword
{
    public override IEnumerable<Schema> InPlace => schemas;

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        var isValid = true;
        foreach (var schema in schemas)
        {
            isValid &= schema.Check(value, run, evaluated);
            if (!isValid && !run.Collects)
                return false;
        }

        return isValid;
    }
}

/// <summary><c>anyOf</c> and <c>oneOf</c>.</summary>
internal sealed class AlternativesKeyword(Schema[] schemas, bool isOne) : Keyword
{
    public override IEnumerable<Schema> InPlace => schemas;

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        var met = 0;
        run.BeQuiet();
        foreach (var schema in schemas)
        {
            if (!schema.Check(value, run, evaluated))
                continue;
            met++;
            if (isOne ? met > 1 : evaluated is null) // annotations are those of all that are met
                break;
        }

        run.Speak();
        return met == 0
            ? run.Fail($"meets none of the {schemas.Length} alternatives")
            : !isOne || met == 1 || run.Fail("meets more than one of the alternatives");
    }
}

/// <summary><c>not</c>.</summary>
internal sealed class NotKeyword(Schema schema) : Keyword
{
    public override IEnumerable<Schema> InPlace => [schema];

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        run.BeQuiet();
        var isMet = schema.Check(value, run);
        run.Speak();
        return !isMet || run.Fail("is what it must not be");
    }
}

/// <summary><c>if</c>, <c>then</c>, <c>else</c>.</summary>
internal sealed class IfKeyword(Schema condition, Schema? then, Schema? otherwise) : Keyword
{
    public override IEnumerable<Schema> InPlace => new[] { condition, then, otherwise }.OfType<Schema>();

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated)
    {
        run.BeQuiet();
        var isMet = condition.Check(value, run, evaluated);
        run.Speak();
        return (isMet ? then : otherwise)?.Check(value, run, evaluated) ?? true;
    }
}

/// <summary><c>dependentSchemas</c>.</summary>
internal sealed class DependentKeyword(string name, Schema schema) : Keyword
{
    public override IEnumerable<Schema> InPlace => [schema];

    public override bool Check(JsonElement value, Validation run, Evaluated? evaluated) =>
        value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(name, out _) || schema.Check(value, run, evaluated);
}
