using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>Equality of JSON values as JSON Schema has it: numbers by their value, objects whatever the order of members.</summary>
internal static class JsonValues
{
    /// <summary>Whether two values are equal. Numbers that are too long to compute with are compared as text.</summary>
    public static bool AreEqual(JsonElement left, JsonElement right)
    {
        if (left.ValueKind != right.ValueKind)
            return false;
        switch (left.ValueKind)
        {
            case JsonValueKind.String:
                return left.GetString() == right.GetString();
            case JsonValueKind.Number:
                return JsonNumber.TryParse(left, out var a) && JsonNumber.TryParse(right, out var b)
                    ? a == b
                    : left.GetRawText() == right.GetRawText();
            case JsonValueKind.Array:
                if (left.GetArrayLength() != right.GetArrayLength())
                    return false;
                foreach (var (one, other) in left.EnumerateArray().Zip(right.EnumerateArray()))
                {
                    if (!AreEqual(one, other))
                        return false;
                }

                return true;
            case JsonValueKind.Object:
                if (left.GetPropertyCount() != right.GetPropertyCount())
                    return false;
                var members = right.EnumerateObject().ToDictionary(m => m.Name, m => m.Value, StringComparer.Ordinal);
                return left.EnumerateObject().All(m => members.TryGetValue(m.Name, out var other) && AreEqual(m.Value, other));
            default:
                return true;
        }
    }

    /// <summary>
    /// Whether all items differ. Items are compared by a hash first: the time is linear in their length, whatever a client sends. Hashes of
    /// text are keyed anew in each process, so that collisions cannot be prepared.
    /// </summary>
    public static bool AreUnique(JsonElement items)
    {
        var seen = new Dictionary<int, List<JsonElement>>(items.GetArrayLength());
        foreach (var item in items.EnumerateArray())
        {
            var hash = HashOf(item);
            if (!seen.TryGetValue(hash, out var same))
                seen.Add(hash, [item]);
            else if (same.Exists(s => AreEqual(s, item)))
                return false;
            else
                same.Add(item);
        }

        return true;
    }

    private static int HashOf(JsonElement value)
    {
        var hash = new HashCode();
        hash.Add(value.ValueKind);
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                hash.Add(value.GetString(), StringComparer.Ordinal);
                break;
            case JsonValueKind.Number when JsonNumber.TryParse(value, out var number):
                hash.Add(number.Sign);
                hash.Add(number.Digits, StringComparer.Ordinal);
                hash.Add(number.Exponent);
                break;
            case JsonValueKind.Number:
                hash.Add(value.GetRawText(), StringComparer.Ordinal);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    hash.Add(HashOf(item));
                break;
            case JsonValueKind.Object:
                var sum = 0; // of members in whatever order
                foreach (var member in value.EnumerateObject())
                    sum += HashCode.Combine(StringComparer.Ordinal.GetHashCode(member.Name), HashOf(member.Value));
                hash.Add(sum);
                break;
        }

        return hash.ToHashCode();
    }
}
