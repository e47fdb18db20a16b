using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>
/// A JSON value: either an element of a parsed document, which is not copied and is written byte for byte, or a computed value. The default
/// value is null. It is valid as long as the document.
/// </summary>
internal readonly struct Value
{
    /// <summary>Marks what was made: true and false.</summary>
    internal static readonly object Truth = new();
    internal static readonly object Falsehood = new();

    /// <summary>Where nothing was made: the place in a document, or null.</summary>
    internal readonly JsonElement Raw;

    /// <summary>
    /// What was made: text in UTF-8 (<c>byte[]</c>), a <see cref="JmesPath.Number"/>, <see cref="Items"/>, <see cref="Members"/>, or one of
    /// the marks.
    /// </summary>
    internal readonly object? Made;

    /// <summary>A place in a document; one that is undefined is null.</summary>
    public Value(JsonElement element) => Raw = element;

    private Value(object made) => Made = made;

    public static Value Null => default;

    /// <summary>The kind, which is never <see cref="JsonValueKind.Undefined"/>.</summary>
    public JsonValueKind Kind =>
        Made switch
        {
            null => Raw.ValueKind is var kind and not JsonValueKind.Undefined ? kind : JsonValueKind.Null,
            byte[] => JsonValueKind.String,
            JmesPath.Number => JsonValueKind.Number,
            Items => JsonValueKind.Array,
            Members => JsonValueKind.Object,
            _ => Made == Truth ? JsonValueKind.True : JsonValueKind.False,
        };

    public bool IsNull => Made is null && Raw.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    /// <summary>
    /// What conditions mean by it: null, false, and a string, an array or an object that is empty are untrue. Zero is true.
    /// </summary>
    public bool IsTrue =>
        Kind switch
        {
            JsonValueKind.Null or JsonValueKind.False => false,
            JsonValueKind.String => !Quoted.IsEmpty,
            JsonValueKind.Array or JsonValueKind.Object => Count > 0,
            _ => true,
        };

    /// <summary>How many elements an array or members an object has.</summary>
    public int Count =>
        Made switch
        {
            null => Raw.ValueKind == JsonValueKind.Array ? Raw.GetArrayLength() : Raw.GetPropertyCount(),
            Items items => items.Span.Length,
            _ => ((Members)Made).Names.Count,
        };

    /// <summary>The names of an object that was made here; <see langword="null"/> for all else.</summary>
    public Names? Names => (Made as Members)?.Names;

    /// <summary>A number's JSON text.</summary>
    public ReadOnlySpan<byte> NumberText => Made is Number number ? number.Text : JsonMarshal.GetRawUtf8Value(Raw);

    /// <summary>A string's bytes as they lie: with escapes if it <see cref="IsEscaped"/>.</summary>
    internal ReadOnlySpan<byte> Quoted => Made is byte[] text ? text : JsonMarshal.GetRawUtf8Value(Raw)[1..^1];

    /// <summary>Whether <see cref="Quoted"/> has escapes.</summary>
    internal bool IsEscaped => Made is null && Quoted.Contains((byte)'\\');

    public static Value Boolean(bool value) => new(value ? Truth : Falsehood);

    public static Value Number(long number) => new(JmesPath.Number.Of(number));

    public static Value Number(Number number) => new(number);

    public static Value String(string text) => new(Encoding.UTF8.GetBytes(text));

    /// <summary>A string of these bytes, which are UTF-8 and are not copied.</summary>
    public static Value String(byte[] utf8) => new(utf8);

    public static Value Array(params Value[] items) => new(new Items(items, items.Length));

    /// <summary>An array of the first items of a longer list; neither is copied.</summary>
    public static Value Array(Value[] items, int count) => new(new Items(items, count));

    /// <summary>
    /// An object, such as the scope of a composition: names made at load, and a request's values for them. The values are not copied: one
    /// may be set later, as long as no expression runs.
    /// </summary>
    public static Value Object(Names names, Value[] values)
    {
        Debug.Assert(names.Count == values.Length, "a value for each name");
        return new(new Members(names, values));
    }

    /// <summary>The decoded text of a string in UTF-8; copied only if there were escapes.</summary>
    public static ReadOnlySpan<byte> TextOf(scoped in Value text) => text.IsEscaped ? Escapes.Decode(text.Quoted) : text.Quoted;

    /// <summary>A string's text in UTF-8, without escapes.</summary>
    public static ReadOnlySpan<byte> TextOf(JsonElement text) => TextOf(new Value(text));

    /// <summary>A decoded string, for repeated access; any other value unchanged.</summary>
    public Value Unescaped() => Kind == JsonValueKind.String && IsEscaped ? String(Escapes.Decode(Quoted)) : this;

    /// <summary>
    /// The member of an object; where a document has the name twice, the last one, as in System.Text.Json. False for other kinds.
    /// </summary>
    public bool TryGetMember(ReadOnlySpan<byte> name, out Value value)
    {
        value = default;
        if (Made is Members members)
        {
            var index = members.Names.IndexOf(name);
            if (index >= 0)
                value = members.Values[index];
            return index >= 0;
        }

        if (Made is not null || Raw.ValueKind != JsonValueKind.Object)
            return false;

        // JsonElement.TryGetProperty throws where a name has an unpaired surrogate escaped in it, and is no quicker on objects of usual
        // size.
        var found = false;
        foreach (var property in Raw.EnumerateObject())
        {
            var raw = JsonMarshal.GetRawUtf8PropertyName(property);
            if (!raw.SequenceEqual(name) && (raw.Length <= name.Length || !raw.Contains((byte)'\\') || !Escapes.Means(raw, name)))
                continue;
            value = new Value(property.Value);
            found = true;
        }

        return found;
    }

    /// <summary>
    /// The element of an array, counted from the end if the index is negative; null if there is none, and for other kinds.
    /// </summary>
    public Value ItemAt(int index)
    {
        if (Kind != JsonValueKind.Array)
            return default;
        var count = Count;
        if (index < 0)
            index += count;
        if ((uint)index >= (uint)count)
            return default;
        return Made is Items items ? items.Span[index] : new Value(Raw[index]);
    }

    /// <summary>Writes the value as JSON: input byte for byte, computed values compact.</summary>
    /// <param name="output">Where to. It is advanced.</param>
    /// <param name="maxBytes">
    /// The maximum length. A computed value may contain one part many times, so its text may be longer than the documents that it is built
    /// from.
    /// </param>
    /// <returns>False if the text is longer; what was written then is a part without use.</returns>
    public bool WriteTo(IBufferWriter<byte> output, long maxBytes)
    {
        var text = new JsonText(output, maxBytes);
        text.Append(this);
        text.Flush();
        return !text.IsFull;
    }

    /// <summary>How long its JSON text is: what <see cref="WriteTo"/> writes.</summary>
    /// <param name="maxBytes">The longest text allowed.</param>
    /// <param name="length">Its length.</param>
    /// <returns>False if the text is longer.</returns>
    public bool TryMeasure(long maxBytes, out long length)
    {
        var text = new JsonText(null, maxBytes);
        text.Append(this);
        length = text.Length;
        return !text.IsFull;
    }

    /// <summary>For the debugger.</summary>
    public override string ToString()
    {
        var buffer = new ArrayBufferWriter<byte>();
        WriteTo(buffer, 64 * 1024);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>The elements of an array that was made here.</summary>
internal sealed class Items(Value[] items, int count)
{
    public ReadOnlySpan<Value> Span => items.AsSpan(0, count);
}

/// <summary>The members of an object that was made here.</summary>
internal sealed class Members(Names names, Value[] values)
{
    public Names Names => names;

    public Value[] Values => values;
}
