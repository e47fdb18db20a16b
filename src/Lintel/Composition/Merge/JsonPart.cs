using System.Buffers;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>
/// A part of a composed answer: JSON text as a service wrote it, a value built from such texts, or both, if an expression looks into text
/// that is passed through.
/// </summary>
internal readonly struct JsonPart
{
    /// <summary>The whitespace allowed around a document.</summary>
    internal static readonly ReadOnlyMemory<byte> Whitespace = " \t\r\n"u8.ToArray();

    private static readonly ReadOnlyMemory<byte> NullText = "null"u8.ToArray();

    private readonly ReadOnlyMemory<byte> _text;
    private readonly Value _value;
    private readonly bool _isText;

    private JsonPart(ReadOnlyMemory<byte> text, in Value value, bool isText)
    {
        _text = text;
        _value = value;
        _isText = isText;
    }

    public static JsonPart Null { get; } = new(NullText, Value.Null, isText: true);

    /// <summary>The text; empty for a value that was built.</summary>
    public ReadOnlyMemory<byte> Text => _text;

    /// <summary>Whether it has a text, which is then sent unchanged.</summary>
    public bool IsText => _isText;

    /// <summary>Whether it is null. For text alone this is determined from its bytes.</summary>
    public bool IsNull => _value.IsNull && (!_isText || _text.Span.SequenceEqual(NullText.Span));

    /// <summary>The value for expressions: null for text alone, which is kept only if no expression looks into it.</summary>
    public Value Value => _value;

    public static JsonPart OfText(ReadOnlyMemory<byte> text) => new(text, Value.Null, isText: true);

    /// <summary>Creates a part from parsed text. Whitespace around the document is not included.</summary>
    public static JsonPart OfDocument(ReadOnlyMemory<byte> text, in Value document) =>
        new(text.Trim(Whitespace.Span), document, isText: true);

    public static JsonPart Of(in Value value) => new(default, value, isText: false);

    /// <summary>Measures the text.</summary>
    /// <param name="maxBytes">The maximum length, in bytes.</param>
    /// <param name="length">The length, in bytes.</param>
    /// <returns>False if the text is longer: a built value may contain one part many times.</returns>
    public bool TryMeasure(long maxBytes, out long length)
    {
        if (!_isText)
            return _value.TryMeasure(maxBytes, out length);
        length = _text.Length;
        return length <= maxBytes;
    }

    /// <summary>Writes the text, after its length was checked.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        if (!_isText)
        {
            _value.WriteTo(output, long.MaxValue);
            return;
        }

        var text = new JsonText(output, long.MaxValue);
        text.Append(_text.Span);
        text.Flush();
    }
}
