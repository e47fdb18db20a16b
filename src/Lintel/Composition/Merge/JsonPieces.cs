using System.Buffers;
using System.IO.Pipelines;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>
/// A JSON text before it is written: a list of the pieces that it consists of, without copies. Its length is known before the first byte is
/// written.
/// </summary>
internal sealed class JsonPieces
{
    /// <summary>How much is written between two flushes.</summary>
    private const int Slice = 64 * 1024;

    private readonly List<JsonPart> _pieces = [];
    private long _fixed;

    /// <summary>The length of the text, once measured.</summary>
    public long Length { get; private set; }

    /// <summary>How much was written slice by slice.</summary>
    public long Written { get; private set; }

    /// <summary>
    /// The part of the length that comes from services' answers; the rest is the configuration's own text, such as names.
    /// </summary>
    public long Counted => Length - _fixed;

    /// <summary>Adds text of the configuration.</summary>
    public void Add(ReadOnlyMemory<byte> text)
    {
        _pieces.Add(JsonPart.OfText(text));
        _fixed += text.Length;
    }

    public void Add(in JsonPart part) => _pieces.Add(part);

    public void Add(in Value value) => _pieces.Add(JsonPart.Of(value));

    /// <summary>Adds a property to the object built so far; a text that is not an object is left unchanged.</summary>
    /// <param name="name">The property's name.</param>
    /// <param name="value">The property's value.</param>
    public void AddProperty(Name name, in Value value)
    {
        var last = _pieces[^1];
        if (!last.IsText)
        {
            if (last.Value.Kind == System.Text.Json.JsonValueKind.Object)
                _pieces[^1] = JsonPart.Of(MergedObject.With(last.Value, name, value));
            return;
        }

        var text = last.Text.TrimEnd(JsonPart.Whitespace.Span);
        if (text.IsEmpty || text.Span[^1] != '}')
            return;
        // an empty rest means that the object began in an earlier piece, so that it has members
        text = text[..^1].TrimEnd(JsonPart.Whitespace.Span);
        _pieces[^1] = JsonPart.OfText(text);
        Add(text.IsEmpty || text.Span[^1] != '{' ? (byte[])[(byte)',', .. name.Json] : name.Json.ToArray());
        Add(value);
        Add("}"u8.ToArray());
    }

    /// <summary>Measures the text.</summary>
    /// <param name="maxBytes">The maximum of <see cref="Counted"/>; measuring stops beyond it.</param>
    /// <returns>False if the text is longer.</returns>
    public bool TryMeasure(long maxBytes)
    {
        Length = 0;
        maxBytes = maxBytes > long.MaxValue - _fixed ? long.MaxValue : maxBytes + _fixed;
        foreach (var piece in _pieces)
        {
            if (!piece.TryMeasure(maxBytes - Length, out var length))
                return false;
            Length += length;
        }

        return true;
    }

    /// <summary>Writes the complete text.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        foreach (var piece in _pieces)
            piece.WriteTo(output);
    }

    /// <summary>Writes the text slice by slice, at the speed of the reader. The last slice is not flushed: more may follow it.</summary>
    /// <param name="writer">The destination, which signals when the reader accepts more.</param>
    /// <param name="output">Receives the bytes: the writer, or a filter in front of it.</param>
    /// <param name="cancellation">Cancels the wait for the reader.</param>
    /// <returns>False if the reader accepts no more.</returns>
    public async ValueTask<bool> WriteAsync(PipeWriter writer, IBufferWriter<byte> output, CancellationToken cancellation)
    {
        var waiting = 0L;
        foreach (var piece in _pieces)
        {
            var value = piece.IsText ? null : new ValueText(piece.Value);
            for (var rest = piece.Text; value is { IsWhole: false } || !rest.IsEmpty; )
            {
                var room = (int)Math.Max(1, Slice - waiting);
                var written = value?.Write(output, room) ?? Write(ref rest, output, room);
                Written += written;
                waiting += written;
                if (waiting < Slice)
                    continue;
                if ((await writer.FlushAsync(cancellation).ConfigureAwait(false)).IsCompleted)
                    return false;
                waiting = 0;
            }
        }

        return true;
    }

    private static int Write(ref ReadOnlyMemory<byte> rest, IBufferWriter<byte> output, int room)
    {
        var text = new JsonText(output, long.MaxValue);
        var now = Math.Min(room, rest.Length);
        text.Append(rest.Span[..now]);
        text.Flush();
        rest = rest[now..];
        return now;
    }
}
