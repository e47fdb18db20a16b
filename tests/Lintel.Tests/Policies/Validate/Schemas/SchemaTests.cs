using System.Text.Json;
using Lintel.Policies.Validate.Schemas;
using Lintel.TestKit;

namespace Lintel.Tests.Policies.Validate.Schemas;

public sealed class SchemaTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    [Theory]
    [InlineData("true", "1", true)]
    [InlineData("false", "1", false)]
    [InlineData("{}", "null", true)]
    [InlineData("""{ "type": "integer" }""", "1", true)]
    [InlineData("""{ "type": "integer" }""", "1.0", true)]
    [InlineData("""{ "type": "integer" }""", "1e2", true)]
    [InlineData("""{ "type": "integer" }""", "1.5", false)]
    [InlineData("""{ "type": "integer" }""", "15e-1", false)]
    [InlineData("""{ "type": "integer" }""", "0.0", true)]
    [InlineData("""{ "type": "integer" }""", "\"1\"", false)]
    [InlineData("""{ "type": "number" }""", "1e999", true)]
    [InlineData("""{ "type": ["null", "string"] }""", "null", true)]
    [InlineData("""{ "type": ["null", "string"] }""", "true", false)]
    [InlineData("""{ "type": "boolean" }""", "false", true)]
    [InlineData("""{ "enum": [1, "a", { "b": [1.0] }] }""", """{ "b": [1] }""", true)]
    [InlineData("""{ "enum": [1, "a"] }""", "true", false)]
    [InlineData("""{ "const": 0 }""", "-0.0", true)]
    [InlineData("""{ "const": false }""", "0", false)]
    [InlineData("""{ "const": { "a": 1, "b": 2 } }""", """{ "b": 2, "a": 1 }""", true)]
    [InlineData("""{ "const": { "a": 1, "b": 2 } }""", """{ "b": 2 }""", false)]
    [InlineData("""{ "minimum": 1.1 }""", "1.10", true)]
    [InlineData("""{ "minimum": 1.1 }""", "1.0999999999999999999999999999", false)]
    [InlineData("""{ "minimum": -5 }""", "-5.0001", false)]
    [InlineData("""{ "maximum": 100 }""", "1e400", false)]
    [InlineData("""{ "maximum": 100 }""", "-1e400", true)]
    [InlineData("""{ "maximum": 100 }""", "1e-400", true)]
    [InlineData("""{ "exclusiveMinimum": 0 }""", "0", false)]
    [InlineData("""{ "exclusiveMinimum": 0 }""", "1e-999", true)]
    [InlineData("""{ "exclusiveMaximum": 9007199254740993 }""", "9007199254740992", true)]
    [InlineData("""{ "exclusiveMaximum": 9007199254740993 }""", "9007199254740993", false)]
    [InlineData("""{ "multipleOf": 0.01 }""", "19.99", true)]
    [InlineData("""{ "multipleOf": 0.01 }""", "19.999", false)]
    [InlineData("""{ "multipleOf": 0.0001 }""", "0.0075", true)]
    [InlineData("""{ "multipleOf": 3 }""", "1e300", false)]
    [InlineData("""{ "multipleOf": 0.5 }""", "1e308", true)]
    [InlineData("""{ "multipleOf": 7 }""", "0", true)]
    [InlineData("""{ "minLength": 2 }""", "\"\\ud83d\\ude00\"", false)]
    [InlineData("""{ "maxLength": 1 }""", "\"\\ud83d\\ude00\"", true)]
    [InlineData("""{ "pattern": "^a.b$" }""", "\"a\\nb\"", false)]
    [InlineData("""{ "pattern": "^\\d+$" }""", "\"\u0661\"", false)]
    [InlineData("""{ "pattern": "^[\\d[]+$" }""", "\"1[\"", true)]
    [InlineData("""{ "pattern": "^a$" }""", "\"a\\n\"", false)]
    [InlineData("""{ "pattern": "b" }""", "\"abc\"", true)]
    [InlineData("""{ "pattern": "b" }""", "1", true)]
    [InlineData("""{ "minItems": 1, "maxItems": 2 }""", "[]", false)]
    [InlineData("""{ "minItems": 1, "maxItems": 2 }""", "[1,2]", true)]
    [InlineData("""{ "uniqueItems": true }""", "[1,2,1.0]", false)]
    [InlineData("""{ "uniqueItems": true }""", "[1,true,\"1\",[1],{\"a\":1}]", true)]
    [InlineData("""{ "uniqueItems": true }""", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", false)]
    [InlineData("""{ "uniqueItems": false }""", "[1,1]", true)]
    [InlineData("""{ "items": { "type": "integer" } }""", "[1,\"a\"]", false)]
    [InlineData("""{ "prefixItems": [{ "type": "string" }], "items": { "type": "integer" } }""", "[\"a\",1]", true)]
    [InlineData("""{ "prefixItems": [{ "type": "string" }], "items": false }""", "[\"a\",1]", false)]
    [InlineData("""{ "prefixItems": [{ "type": "string" }] }""", "[\"a\",1]", true)]
    [InlineData("""{ "contains": { "const": 1 } }""", "[2]", false)]
    [InlineData("""{ "contains": { "const": 1 }, "minContains": 0 }""", "[2]", true)]
    [InlineData("""{ "contains": { "const": 1 }, "maxContains": 1 }""", "[1,1]", false)]
    [InlineData("""{ "required": ["a"] }""", "{}", false)]
    [InlineData("""{ "required": ["a"] }""", "[]", true)]
    [InlineData("""{ "properties": { "a": false } }""", """{ "b": 1 }""", true)]
    [InlineData("""{ "properties": { "a": false } }""", """{ "a": 1 }""", false)]
    [InlineData("""{ "properties": { "a": {} }, "additionalProperties": false }""", """{ "b": 1 }""", false)]
    [InlineData("""{ "patternProperties": { "^x": { "type": "integer" } }, "additionalProperties": false }""", """{ "x1": 1 }""", true)]
    [InlineData("""{ "patternProperties": { "^x": { "type": "integer" } } }""", """{ "x1": "a" }""", false)]
    [InlineData("""{ "propertyNames": { "maxLength": 2 } }""", """{ "a\"b": 1 }""", false)]
    [InlineData("""{ "minProperties": 1, "maxProperties": 1 }""", """{ "a": 1, "b": 1 }""", false)]
    [InlineData("""{ "dependentRequired": { "a": ["b"] } }""", """{ "a": 1 }""", false)]
    [InlineData("""{ "dependentSchemas": { "a": { "required": ["b"] } } }""", """{ "a": 1 }""", false)]
    [InlineData("""{ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }""", "3", false)]
    [InlineData("""{ "anyOf": [{ "maximum": 1 }, { "minimum": 3 }] }""", "2", false)]
    [InlineData("""{ "anyOf": [{ "maximum": 1 }, { "minimum": 3 }] }""", "3", true)]
    [InlineData("""{ "oneOf": [{ "maximum": 2 }, { "minimum": 2 }] }""", "2", false)]
    [InlineData("""{ "oneOf": [{ "maximum": 2 }, { "minimum": 2 }] }""", "1", true)]
    [InlineData("""{ "not": { "type": "null" } }""", "null", false)]
    [InlineData("""{ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": { "minimum": 1 } }""", "\"\"", false)]
    [InlineData("""{ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": { "minimum": 1 } }""", "0", false)]
    [InlineData("""{ "if": false, "else": { "minimum": 1 } }""", "1", true)]
    [InlineData("""{ "properties": { "c": { "$ref": "#" } }, "additionalProperties": false }""", """{ "c": { "c": { "d": 1 } } }""", false)]
    [InlineData("""{ "$defs": { "a/b": { "type": "null" } }, "$ref": "#/$defs/a~1b" }""", "1", false)]
    [InlineData("""{ "$defs": { "x": { "$anchor": "here", "type": "null" } }, "$ref": "#here" }""", "1", false)]
    [InlineData("""{ "$id": "https://x.test/a", "$defs": { "x": { "$id": "b", "type": "null" } }, "$ref": "b" }""", "1", false)]
    [InlineData(
        """{ "$id": "https://x.test/a", "$defs": { "x": { "$id": "b", "$defs": { "y": { "type": "null" } } } }, "$ref": "b#/$defs/y" }""",
        "null",
        true
    )]
    [InlineData("""{ "allOf": [{ "properties": { "a": {} } }], "unevaluatedProperties": false }""", """{ "a": 1 }""", true)]
    [InlineData("""{ "allOf": [{ "properties": { "a": {} } }], "unevaluatedProperties": false }""", """{ "a": 1, "b": 1 }""", false)]
    [InlineData(
        """{ "anyOf": [{ "properties": { "a": { "type": "null" } } }, true], "unevaluatedProperties": false }""",
        """{ "a": 1 }""",
        false
    )]
    [InlineData("""{ "if": { "properties": { "a": {} } }, "unevaluatedProperties": false }""", """{ "a": 1 }""", true)]
    [InlineData("""{ "not": { "not": { "properties": { "a": {} } } }, "unevaluatedProperties": false }""", """{ "a": 1 }""", false)]
    [InlineData("""{ "prefixItems": [true], "unevaluatedItems": false }""", "[1,2]", false)]
    [InlineData("""{ "contains": { "const": 2 }, "prefixItems": [true], "unevaluatedItems": false }""", "[1,2]", true)]
    [InlineData(
        """{ "$schema": "http://json-schema.org/draft-07/schema#", "items": [{ "type": "string" }], "additionalItems": false }""",
        "[\"a\",1]",
        false
    )]
    [InlineData(
        """{ "$schema": "http://json-schema.org/draft-07/schema#", "dependencies": { "a": ["b"], "c": { "required": ["d"] } } }""",
        """{ "c": 1 }""",
        false
    )]
    [InlineData(
        """{ "$schema": "http://json-schema.org/draft-07/schema#", "definitions": { "a": { "$id": "#x", "type": "null" } }, "$ref": "#x" }""",
        "1",
        false
    )]
    [InlineData("""{ "format": "date-time" }""", "\"2026-02-28T23:59:60.5+01:00\"", true)]
    [InlineData("""{ "format": "date-time" }""", "\"2026-02-29T10:00:00Z\"", false)]
    [InlineData("""{ "format": "date" }""", "\"2024-02-29\"", true)]
    [InlineData("""{ "format": "ipv4" }""", "\"127.0.0.01\"", false)]
    [InlineData("""{ "format": "ipv6" }""", "\"::1\"", true)]
    [InlineData("""{ "format": "ipv6" }""", "\"fe80::1%lo\"", false)]
    [InlineData("""{ "format": "uuid" }""", "\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\"", true)]
    [InlineData("""{ "format": "email" }""", "\"a b@c\"", false)]
    [InlineData("""{ "format": "uri" }""", "\"/relative\"", false)]
    [InlineData("""{ "format": "whatever" }""", "\"x\"", true)]
    [InlineData("""{ "x-note": 1, "title": "t", "$comment": "c" }""", "1", true)]
    public void Document_IsValid_AsTheStandardSays(string schema, string document, bool expected) =>
        Assert.Equal(expected, Check(SchemaCompiler.CompileText(schema), document).Count == 0);

    [Fact]
    public void Violations_AreAllTold_WithTheirPlaces()
    {
        var schema = SchemaCompiler.CompileText(
            """{ "type": "object", "required": ["id"], "properties": { "items": { "items": { "properties": { "price": { "minimum": 0 }, "a/b~c": { "type": "null" } } } } } }"""
        );
        Assert.Equal(
            [("/id", "is required"), ("/items/0/price", "is less than 0"), ("/items/2/a~1b~0c", "is not of the type null")],
            Check(schema, """{ "items": [{ "price": -1 }, {}, { "a/b~c": 1 }] }""").Select(v => (v.Pointer, v.Detail)).Order()
        );
    }

    [Fact]
    public void Violations_AreBounded()
    {
        var document = "[" + string.Join(',', Enumerable.Repeat("1", 100_000)) + "]";
        Assert.Equal(20, Check(SchemaCompiler.CompileText("""{ "items": { "type": "string" } }"""), document).Count);
    }

    [Fact]
    public void Pointer_ThroughALongName_EndsBeforeIt()
    {
        var schema = SchemaCompiler.CompileText("""{ "properties": { "a": { "additionalProperties": false } } }""");
        Assert.Equal("/a", Assert.Single(Check(schema, $$"""{ "a": { "{{new string('n', 1000)}}": 1 } }""")).Pointer);
    }

    [Theory]
    [InlineData("[]", "a schema is an object")]
    [InlineData("""{ "type": "int" }""", "one or several of")]
    [InlineData("""{ "requierd": [] }""", "did you mean `required`?")]
    [InlineData("""{ "properties": { "a": { "minLenght": 1 } } }""", "#/properties/a/minLenght")]
    [InlineData("""{ "minLength": -1 }""", "an integer that is not negative")]
    [InlineData("""{ "multipleOf": 0 }""", "a number greater than 0")]
    [InlineData("""{ "enum": [] }""", "a list of values")]
    [InlineData("""{ "pattern": "(" }""", "cannot be used")]
    [InlineData("""{ "pattern": "(?=a)" }""", "linear time")]
    [InlineData("""{ "$ref": "https://evil.test/schema.json" }""", "nothing is fetched")]
    [InlineData("""{ "$ref": "file:///etc/passwd" }""", "nothing is fetched")]
    [InlineData("""{ "$ref": "../../etc/passwd" }""", "nothing is fetched")]
    [InlineData("""{ "$ref": "/etc/passwd" }""", "nothing is fetched")]
    [InlineData("""{ "$ref": "#/$defs/none" }""", "leads to no schema")]
    [InlineData("""{ "$ref": "#" }""", "without end")]
    [InlineData("""{ "allOf": [{ "anyOf": [{ "$ref": "#" }] }] }""", "without end")]
    [InlineData("""{ "$dynamicRef": "#a" }""", "not supported")]
    [InlineData("""{ "$schema": "http://json-schema.org/draft-04/schema#" }""", "dialect")]
    [InlineData("""{ "items": [{}] }""", "prefixItems")]
    [InlineData(
        """{ "$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a", "minimum": 1, "definitions": { "a": {} } }""",
        "no effect in draft 7"
    )]
    [InlineData("""{ "minimum": 1, "minimum": 2 }""", "not valid JSON")]
    public void Schema_ThatWouldNotDoWhatItSeemsTo_IsRefused(string schema, string problem)
    {
        var file = _folder.Write("main.json", schema);
        var error = Assert.Throws<SchemaException>(() => SchemaCompiler.CompileFile(file));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("main.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void References_ToFilesBesideIt_AreFollowed_AndAreFilesOfTheSchema()
    {
        var main = _folder.Write(
            "schemas/main.json",
            """{ "properties": { "a": { "$ref": "parts/a.json#/$defs/x" }, "b": { "$ref": "b.json" } } }"""
        );
        var a = _folder.Write("schemas/parts/a.json", """{ "$id": "https://x.test/a", "$defs": { "x": { "type": "null" } } }""");
        var b = _folder.Write("schemas/b.json", """{ "properties": { "back": { "$ref": "main.json" } } }""");
        _folder.Write("outside.json", "{}");
        var schema = SchemaCompiler.CompileFile(main);
        Assert.Equal([main, a, b], SchemaSource.FilesOf(main));
        Assert.Empty(Check(schema, """{ "a": null, "b": { "back": { "a": null } } }"""));
        Assert.Equal("/b/back/a", Assert.Single(Check(schema, """{ "b": { "back": { "a": 1 } } }""")).Pointer);
        _folder.Write("schemas/b.json", """{ "$ref": "../outside.json" }""");
        Assert.Throws<SchemaException>(() => SchemaCompiler.CompileFile(main));
    }

    [Fact]
    [Attack(
        "a small document whose alternatives multiply without bound",
        "validation ends after a bounded number of steps, and the request is refused"
    )]
    public void Alternatives_ThatMultiply_EndInBoundedWork()
    {
        var schema = SchemaCompiler.CompileText(
            """{ "anyOf": [{ "items": { "$ref": "#" }, "const": 1 }, { "items": { "$ref": "#" }, "const": 2 }, { "items": { "$ref": "#" }, "minItems": 0, "maxItems": 1, "not": {} }] }"""
        );
        var run = new Validation(20);
        using var document = JsonDocument.Parse(new string('[', 60) + new string(']', 60));
        Assert.False(schema.Check(document.RootElement, run));
        Assert.True(run.IsTooComplex);
    }

    [Fact]
    public void Depth_IsBounded()
    {
        var schema = SchemaCompiler.CompileText("""{ "items": { "allOf": [{ "allOf": [{ "allOf": [{ "$ref": "#" }] }] }] } }""");
        var run = new Validation(20);
        using var document = JsonDocument.Parse(new string('[', 1000) + new string(']', 1000), new JsonDocumentOptions { MaxDepth = 2000 });
        Assert.False(schema.Check(document.RootElement, run));
        Assert.True(run.IsTooComplex);
    }

    [Fact]
    [Attack("a list of a hundred thousand items where `uniqueItems` is required", "compared by keyed hashes, in linear time")]
    public void UniqueItems_OfAHundredThousand_TakeLinearWork()
    {
        var items = string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"1.{i}e1"));
        Assert.NotEmpty(Check(SchemaCompiler.CompileText("""{ "uniqueItems": true }"""), $"[{items},1e1]"));
    }

    [Theory]
    [InlineData("""{ "multipleOf": 0.01 }""")]
    [InlineData("""{ "minimum": 1 }""")]
    [InlineData("""{ "type": "integer" }""")]
    [Attack("numbers of a million digits, and with huge exponents", "refused where arithmetic would be needed")]
    public void Number_ThatIsHuge_IsRefused_NotComputed(string schema)
    {
        var compiled = SchemaCompiler.CompileText(schema);
        Assert.NotEmpty(Check(compiled, new string('9', 1_000_000)));
        Assert.NotEmpty(Check(compiled, "1e99999999999999999999"));
    }

    public void Dispose() => _folder.Dispose();

    private static List<Violation> Check(Schema schema, string json)
    {
        using var document = JsonDocument.Parse(json);
        var run = new Validation(20);
        var isValid = schema.Check(document.RootElement, run);
        Assert.Equal(isValid, run.Violations.Count == 0);
        return run.Violations;
    }
}
