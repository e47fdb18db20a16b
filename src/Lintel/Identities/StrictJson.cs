using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;

namespace Lintel.Identities;

/// <summary>
/// Parses JSON that comes from callers or providers: what two parsers could read differently is refused, and every text of the result can
/// be read without an exception.
/// </summary>
internal static class StrictJson
{
    /// <summary>Beyond this depth a document was made to do harm: metadata, key sets and tokens have about four levels.</summary>
    private const int MaxDepth = 32;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    /// <summary>Parses a document.</summary>
    /// <param name="utf8">Its bytes.</param>
    /// <param name="value">Its root, which outlives the bytes.</param>
    /// <returns>False if it is not JSON in UTF-8, has a member twice, is too deep, or has half a surrogate pair.</returns>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out JsonElement value)
    {
        value = default;
        if (!Utf8.IsValid(utf8) || !HasWholeTexts(utf8))
            return false;
        try
        {
            value = JsonElement.Parse(utf8, Options);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A member that is text.</summary>
    /// <returns>False if it is absent, or something else.</returns>
    public static bool TryText(JsonElement json, string name, [NotNullWhen(true)] out string? text)
    {
        text = json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return text is not null;
    }

    /// <summary>
    /// Whether all texts can be decoded: the parser looks at escapes only when a text is read, and throws there.
    /// </summary>
    private static bool HasWholeTexts(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IndexOf("\\u"u8) < 0)
            return true;
        try
        {
            var reader = new Utf8JsonReader(utf8, ReaderOptions);
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                    _ = reader.GetString();
            }

            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
