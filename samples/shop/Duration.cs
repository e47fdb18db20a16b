using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lintel.Samples.Shop;

/// <summary>Durations as the gateway's configuration writes them: a whole number and its unit, as in <c>300ms</c>.</summary>
internal static class Duration
{
    public const string Expected = "a duration from 0ms to 1m, such as 300ms or 2s";

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        var (digits, unit) = text switch
        {
            null => ("", 0),
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1),
            _ when text.EndsWith('s') => (text[..^1], 1_000),
            _ when text.EndsWith('m') => (text[..^1], 60_000),
            _ => ("", 0),
        };
        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        var milliseconds = (long)number * unit;
        if (milliseconds > Longest.TotalMilliseconds)
            return false;
        duration = TimeSpan.FromMilliseconds(milliseconds);
        return true;
    }

    public static string Format(TimeSpan duration)
    {
        var milliseconds = (long)duration.TotalMilliseconds;
        return milliseconds != 0 && milliseconds % 1_000 == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{milliseconds / 1_000}s")
            : string.Create(CultureInfo.InvariantCulture, $"{milliseconds}ms");
    }
}

/// <summary>Writes and reads a duration as its text.</summary>
internal sealed class DurationJsonConverter : JsonConverter<TimeSpan>
{
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && Duration.TryParse(reader.GetString(), out var duration)
            ? duration
            : throw new JsonException($"This is {Duration.Expected}.");

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Duration.Format(value));
}
