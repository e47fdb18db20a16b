using System.Buffers;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>
/// A part of a composed answer: JSON text as a service wrote it, a value that was made of such, or both, where an expression looks into
/// what goes out as it came.
/// </summary>
internal readonly struct JsonPart
{
    /// <summary>What may stand around a document.</summary>
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

    /// <summary>Its text; empty for a value that was built.</summary>
    public ReadOnlyMemory<byte> Text => _text;

    /// <summary>Whether it has a text, which then goes out as it is.</summary>
    public bool IsText => _isText;

    /// <summary>Whether it is null. Of text alone that is known by its bytes.</summary>
    public bool IsNull => _value.IsNull && (!_isText || _text.Span.SequenceEqual(NullText.Span));

    /// <summary>What expressions see: null for text alone, for that is only kept where no expression looks.</summary>
    public Value Value => _value;

    public static JsonPart OfText(ReadOnlyMemory<byte> text) => new(text, Value.Null, isText: true);

    /// <summary>Text that was parsed. What stands around the document is no part of it.</summary>
    public static JsonPart OfDocument(ReadOnlyMemory<byte> text, in Value document) =>
        new(text.Trim(Whitespace.Span), document, isText: true);

    public static JsonPart Of(in Value value) => new(default, value, isText: false);

    /// <summary>How long its text is.</summary>
    /// <param name="maxBytes">The longest text allowed.</param>
    /// <param name="length">Its length.</param>
    /// <returns>False if the text is longer: a value that was made may hold one part many times.</returns>
    public bool TryMeasure(long maxBytes, out long length)
    {
        if (!_isText)
            return _value.TryMeasure(maxBytes, out length);
        length = _text.Length;
        return length <= maxBytes;
    }

    /// <summary>Writes its text, whose length is known to be right.</summary>
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
