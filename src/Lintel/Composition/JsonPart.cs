using System.Buffers;
using Lintel.JmesPath;

namespace Lintel.Composition;

/// <summary>A part of a composed answer: JSON text as a service wrote it, checked and not parsed, or a value.</summary>
internal readonly struct JsonPart
{
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

    public bool IsText => _isText;

    /// <summary>What expressions see: null for text, for that is only kept where no expression looks.</summary>
    public Value Value => _value;

    public static JsonPart OfText(ReadOnlyMemory<byte> text) => new(text, Value.Null, isText: true);

    public static JsonPart Of(in Value value) => new(default, value, isText: false);

    public void WriteTo(IBufferWriter<byte> output)
    {
        if (_isText)
            output.Write(_text.Span);
        else
            _value.WriteTo(output, long.MaxValue); // no longer than the answers that it points into
    }
}
