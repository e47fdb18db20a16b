using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lintel.Identities;

/// <summary>The claims of an identity: the members of a JSON object, such as the payload of a JWT. Immutable.</summary>
/// <param name="root">A JSON object that outlives its document.</param>
internal sealed class ClaimSet(JsonElement root)
{
    /// <summary>An identity without claims.</summary>
    public static ClaimSet None { get; } = new(JsonElement.Parse("{}"));

    /// <summary>The claims as JSON.</summary>
    public JsonElement Root { get; } = root;

    /// <summary>Creates claims from a JSON object.</summary>
    public static ClaimSet Of(JsonObject claims) => new(JsonSerializer.SerializeToElement(claims, ClaimJson.Default.JsonObject));

    /// <summary>
    /// Finds a claim: the one of exactly this name, otherwise the value that a dotted name leads to, as in <c>realm_access.roles</c>.
    /// </summary>
    public bool TryFind(string name, out JsonElement value)
    {
        if (Root.TryGetProperty(name, out value))
            return true;
        return name.Contains('.') && TryFind(Root, name, out value);
    }

    /// <summary>
    /// A claim as text: strings, numbers and booleans, those of a list separated by commas; <see langword="null"/> if it is absent or an
    /// object.
    /// </summary>
    public string? Text(string name)
    {
        if (!TryFind(name, out var value))
            return null;
        if (value.ValueKind != JsonValueKind.Array)
            return Scalar(value);
        var items = Texts(value).ToList();
        return items.Count == value.GetArrayLength() ? string.Join(',', items) : null;
    }

    /// <summary>The texts of a claim: that of a scalar, or of each scalar in a list; none for an object.</summary>
    public static IEnumerable<string> Texts(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return Scalar(value) is { } text ? [text] : [];
        return value.EnumerateArray().Select(Scalar).OfType<string>();
    }

    private static bool TryFind(JsonElement parent, string name, out JsonElement value)
    {
        // Names may contain dots themselves, as URLs do: every split is tried, the longest name first.
        for (var dot = name.LastIndexOf('.'); dot > 0; dot = name.LastIndexOf('.', dot - 1))
        {
            if (
                parent.TryGetProperty(name.AsSpan(0, dot), out var child)
                && child.ValueKind == JsonValueKind.Object
                && (child.TryGetProperty(name.AsSpan(dot + 1), out value) || TryFind(child, name[(dot + 1)..], out value))
            )
                return true;
        }

        value = default;
        return false;
    }

    private static string? Scalar(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => null,
        };
}

/// <summary>Serializes claims without reflection, which trimmed programs lack.</summary>
[System.Text.Json.Serialization.JsonSerializable(typeof(JsonObject))]
internal sealed partial class ClaimJson : System.Text.Json.Serialization.JsonSerializerContext;
