using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Lintel.Config;

/// <summary>
/// The calls' answers, as code that makes the composed answer sees them (<see cref="ShapeConfig.From{T}"/>). Lists have been joined. Valid
/// until that code returns.
/// </summary>
public sealed class ComposedParts
{
    private readonly Func<string, ReadOnlyMemory<byte>?> _find;

    /// <param name="find">Gives a call's JSON text; <see langword="null"/> where there is no call of that name.</param>
    internal ComposedParts(Func<string, ReadOnlyMemory<byte>?> find) => _find = find;

    /// <summary>Parts that no service sent: for tests of the code that looks at them.</summary>
    /// <param name="parts">The calls' names, each with its JSON text.</param>
    public static ComposedParts Of(params (string Call, string Json)[] parts)
    {
        var texts = parts.ToDictionary(p => p.Call, p => Encoding.UTF8.GetBytes(p.Json), StringComparer.Ordinal);
        return new ComposedParts(call => texts.TryGetValue(call, out var text) ? text : null);
    }

    /// <summary>
    /// Whether a call has a value: not where the service answered <c>null</c>, and not where the call was skipped, or failed without a
    /// fallback.
    /// </summary>
    /// <param name="call">The call's name.</param>
    /// <exception cref="ArgumentException">The composition has no such call.</exception>
    public bool Has(string call) => !IsNull(Json(call).Span);

    /// <summary>
    /// A call's value, read from JSON; the default of <typeparamref name="T"/> where it has none (see <see cref="Has"/>).
    /// </summary>
    /// <param name="call">The call's name.</param>
    /// <param name="type">How it is read.</param>
    /// <exception cref="ArgumentException">The composition has no such call.</exception>
    /// <exception cref="JsonException">The value is no <typeparamref name="T"/>.</exception>
    public T? Get<T>(string call, JsonTypeInfo<T> type) =>
        Json(call) is var json && IsNull(json.Span) ? default : JsonSerializer.Deserialize(json.Span, type);

    /// <summary>
    /// A call's value as JSON text in UTF-8, as the service wrote it; <c>null</c> where it has none. Where nothing is to be changed,
    /// <see cref="Utf8JsonWriter.WriteRawValue(ReadOnlySpan{byte}, bool)"/> passes it on.
    /// </summary>
    /// <param name="call">The call's name.</param>
    /// <exception cref="ArgumentException">The composition has no such call.</exception>
    public ReadOnlyMemory<byte> Json(string call) =>
        _find(call) ?? throw new ArgumentException($"The composition has no call `{call}`.", nameof(call));

    private static bool IsNull(ReadOnlySpan<byte> json) => json.Trim(" \t\r\n"u8).SequenceEqual("null"u8);
}
