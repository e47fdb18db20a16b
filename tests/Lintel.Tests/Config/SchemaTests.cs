using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Lintel.Config;
using Lintel.Config.Reading;
using Lintel.Hosting;
using Lintel.Policies.AnyOf;
using Lintel.Policies.Authorize;
using Lintel.Tests.Golden;

namespace Lintel.Tests.Config;

/// <summary>Holds together the records, the grammar that reads them, the published schema and the documentation.</summary>
public sealed class SchemaTests
{
    /// <summary>Keys that are another spelling of a property, or act before there are records.</summary>
    private static readonly HashSet<string> KeysWithoutProperty =
    [
        "match.path",
        "gateway.include",
        "rule.equals",
        .. RuleConfig.Keys.Concat(["equals", "oneOf", "matches"]).Select(k => "authorize." + k),
    ];

    /// <summary>Properties that a short form alone sets.</summary>
    private static readonly HashSet<string> PropertiesWithoutKey =
    [
        "fallback.stale",
        "service.handler",
        "balancing.kind",
        "credentials.kind",
        "rule.equalTo",
        "authorize.rule",
    ];

    /// <summary>Records that users write as text (a request), as a list, or as any map, list or text (a shape).</summary>
    private static readonly HashSet<Type> NotWrittenAsMaps = [typeof(CallRequestConfig), typeof(ShapeConfig), typeof(AnyOfConfig)];

    private static readonly HashSet<string> Documented =
    [
        .. XDocument
            .Load(Path.Combine(AppContext.BaseDirectory, "Lintel.xml"))
            .Descendants("member")
            .Where(m => ((string?)m.Element("summary"))?.Trim().Length > 0)
            .Select(m => (string)m.Attribute("name")!),
    ];

    private static readonly JsonObject Schema = (JsonObject)
        JsonNode.Parse(
            ConfigSchema.Create((type, property) => Documented.Contains($"P:{type.FullName}.{property}") ? "text" : null).ToJsonString()
        )!;

    /// <summary>The records that users write as maps; an address is written as text.</summary>
    public static TheoryData<Type> Records =>
        [
            .. typeof(GatewayConfig)
                .Assembly.GetTypes()
                .Where(t =>
                    t.IsPublic
                    && !t.IsAbstract
                    && (t.Namespace == "Lintel.Config" || t.Namespace!.StartsWith("Lintel.Policies.", StringComparison.Ordinal))
                    && t.Name.EndsWith("Config", StringComparison.Ordinal)
                    && !NotWrittenAsMaps.Contains(t)
                )
                .OrderBy(t => t.Name, StringComparer.Ordinal),
        ];

    [Fact]
    public void Records_AreFound() => Assert.True(Records.Count >= 20, $"only {Records.Count}");

    [Theory]
    [MemberData(nameof(Records))]
    public void Schema_OfEveryRecord_HasExactlyItsProperties(Type record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var name = SchemaName(record);
        var keys = ((JsonObject)Schema["$defs"]![name]!["properties"]!)
            .Select(p => p.Key)
            .Where(k => !KeysWithoutProperty.Contains(name + "." + k));
        var properties = Properties(record)
            .Select(p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..])
            .Where(p => !PropertiesWithoutKey.Contains(name + "." + p));
        Assert.Equal(properties.Order(StringComparer.Ordinal), keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Property_OfEveryRecord_IsDocumented(Type record)
    {
        ArgumentNullException.ThrowIfNull(record);
        Assert.Contains($"T:{record.FullName}", Documented);
        Assert.All(Properties(record), p => Assert.Contains($"P:{p.DeclaringType!.FullName}.{p.Name}", Documented));
        var described = (JsonObject)Schema["$defs"]![SchemaName(record)]!["properties"]!;
        Assert.All(described.Where(p => !KeysWithoutProperty.Contains(SchemaName(record) + "." + p.Key)), p =>
            Assert.Equal("text", (string?)p.Value!["description"])
        );
    }

    [Fact]
    public void Schema_HasNoDefinitionWithoutARecord() =>
        Assert.Equal(
            Records.Select(r => SchemaName(r.Data)).Append("shape").Append("policy").Order(StringComparer.Ordinal),
            ((JsonObject)Schema["$defs"]!).Select(d => d.Key).Order(StringComparer.Ordinal)
        );

    [Theory]
    [MemberData(nameof(ValidConfigurationTests.Cases), MemberType = typeof(ValidConfigurationTests))]
    public void ValidFile_ReadAsAnEditorWould_ConformsToTheSchema(string name) =>
        Assert.Empty(Violations(Schema, Load(Path.Combine(ValidConfigurationTests.Folder, name)), ""));

    [Theory]
    [InlineData("unknown-key-everywhere.yaml")]
    [InlineData("wrong-types.yaml")]
    [InlineData("duration-bare-number.yaml")]
    [InlineData("service-choices.yaml")]
    [InlineData("instances-bad.yaml")]
    [InlineData("listener-bad-address.yaml")]
    [InlineData("route-without-action.yaml")]
    public void BrokenFile_OfAStructuralKind_ViolatesTheSchema(string name) =>
        Assert.NotEmpty(Violations(Schema, Load(Path.Combine(Repository.Tests, "Golden", "broken", name)), ""));

    private static IEnumerable<PropertyInfo> Properties(Type record) =>
        record
            .GetProperties(BindingFlags.Public | BindingFlags.Instance) // inherited ones, too: records share keys
            .Where(p => p.Name != "EqualityContract");

    private static string SchemaName(Type record) => char.ToLowerInvariant(record.Name[0]) + record.Name[1..^"Config".Length];

    private static JsonNode? Load(string file) => ToJson(ConfigDocument.Load([file], GatewayReader.TestEnvironment).Root);

    /// <summary>YAML's core schema, after expansion: an unquoted number from a variable is read as the text that it is.</summary>
    private static JsonNode? ToJson(ConfigNode node) =>
        node switch
        {
            MapNode map => new JsonObject(map.Entries.Select(e => KeyValuePair.Create(e.Key, ToJson(e.Value)))),
            ListNode list => new JsonArray([.. list.Items.Select(ToJson)]),
            ScalarNode { IsNull: true } => null,
            ScalarNode { IsQuoted: false, Text: "true" or "false" } scalar => JsonValue.Create(scalar.Text == "true"),
            ScalarNode { IsQuoted: false } scalar when long.TryParse(scalar.Text, CultureInfo.InvariantCulture, out var number) =>
                JsonValue.Create(number),
            ScalarNode { IsQuoted: false } scalar
                when double.TryParse(scalar.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) =>
                JsonValue.Create(number),
            _ => JsonValue.Create(((ScalarNode)node).Text),
        };

    /// <summary>The subset of JSON Schema that ours uses.</summary>
    private static List<string> Violations(JsonNode rule, JsonNode? value, string path)
    {
        var schema = (JsonObject)rule;
        if ((string?)schema["$ref"] is { } reference)
            return Violations(Schema["$defs"]![reference["#/$defs/".Length..]]!, value, path);
        if (schema["anyOf"] is JsonArray choices)
            return choices.Select(c => Violations(c!, value, path)).MinBy(v => v.Count)!;

        var found = new List<string>();
        if (
            schema["type"] is { } type
            && !(type is JsonArray several ? several.Select(t => (string)t!) : [(string)type!]).Any(t => IsOfType(value, t))
        )
            return [$"{path}: is no {type.ToJsonString()}"];
        if (schema["enum"] is JsonArray words && !words.Any(w => JsonNode.DeepEquals(w, value) || w!.ToString() == value?.ToString()))
            found.Add($"{path}: is none of {words.ToJsonString()}");
        if (schema["pattern"] is { } pattern && !Regex.IsMatch((string)value!, (string)pattern!))
            found.Add($"{path}: does not match {pattern}");
        if (schema["minimum"] is { } minimum && NumberOf(value) < NumberOf(minimum))
            found.Add($"{path}: below {minimum}");
        if (schema["maximum"] is { } maximum && NumberOf(value) > NumberOf(maximum))
            found.Add($"{path}: above {maximum}");
        if (value is JsonArray list && schema["items"] is { } items)
        {
            if (schema["minItems"] is { } least && list.Count < (int)least)
                found.Add($"{path}: too short");
            for (var i = 0; i < list.Count; i++)
                found.AddRange(Violations(items, list[i], $"{path}[{i}]"));
        }

        if (value is JsonObject map)
            CheckMap(schema, map, path, found);
        return found;
    }

    private static void CheckMap(JsonObject schema, JsonObject map, string path, List<string> found)
    {
        if (schema["required"] is JsonArray required)
            found.AddRange(required.Where(r => !map.ContainsKey((string)r!)).Select(r => $"{path}: {r} is missing"));
        foreach (var (key, value) in map)
        {
            if (schema["propertyNames"] is { } names)
                found.AddRange(Violations(names, JsonValue.Create(key), $"{path}.{key}"));
            if (schema["properties"]?[key] is { } property)
                found.AddRange(Violations(property, value, $"{path}.{key}"));
            else if (schema["additionalProperties"] is JsonObject each)
                found.AddRange(Violations(each, value, $"{path}.{key}"));
            else if (schema["additionalProperties"] is { } allowed && !(bool)allowed)
                found.Add($"{path}: {key} is not known");
        }
    }

    private static double NumberOf(JsonNode? value) => double.Parse(value!.ToJsonString(), CultureInfo.InvariantCulture);

    private static bool IsOfType(JsonNode? value, string type) =>
        (type, value?.GetValueKind()) switch
        {

            ("object", System.Text.Json.JsonValueKind.Object)
            or
            ("array", System.Text.Json.JsonValueKind.Array)
            or ("string", System.Text.Json.JsonValueKind.String) => true,
            ("integer", System.Text.Json.JsonValueKind.Number) => NumberOf(value) % 1 == 0,
            ("number", System.Text.Json.JsonValueKind.Number) => true,
            ("boolean", System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False) => true,
            _ => false,
        };
}
