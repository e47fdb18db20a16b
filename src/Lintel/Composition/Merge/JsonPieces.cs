using System.Buffers;
using System.IO.Pipelines;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>
/// A JSON text before it is written: the pieces that it is put together from, none of them copied. Its length is known before its first
/// byte is.
/// </summary>
internal sealed class JsonPieces
{
    /// <summary>What is written between two waits for the reader.</summary>
    private const int Slice = 64 * 1024;

    private readonly List<JsonPart> _pieces = [];
    private long _fixed;

    /// <summary>The length of the text, once it was measured.</summary>
    public long Length { get; private set; }

    /// <summary>How much of it was written slice by slice.</summary>
    public long Written { get; private set; }

    /// <summary>What of the length was made of services' answers; the rest is the configuration's own text, such as names.</summary>
    public long Counted => Length - _fixed;

    /// <summary>Adds text of the configuration.</summary>
    public void Add(ReadOnlyMemory<byte> text)
    {
        _pieces.Add(JsonPart.OfText(text));
        _fixed += text.Length;
    }

    public void Add(in JsonPart part) => _pieces.Add(part);

    public void Add(in Value value) => _pieces.Add(JsonPart.Of(value));

    /// <summary>Adds a property to the object that was put together; where the text is no object it stays as it is.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="value">Its value.</param>
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
        // of an object that was begun in an earlier piece nothing is left: it has members
        text = text[..^1].TrimEnd(JsonPart.Whitespace.Span);
        _pieces[^1] = JsonPart.OfText(text);
        Add(text.IsEmpty || text.Span[^1] != '{' ? (byte[])[(byte)',', .. name.Json] : name.Json.ToArray());
        Add(value);
        Add("}"u8.ToArray());
    }

    /// <summary>Measures the text.</summary>
    /// <param name="maxBytes">How much of it may be <see cref="Counted"/>; nothing is measured beyond that.</param>
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

    /// <summary>Writes the text at once.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        foreach (var piece in _pieces)
            piece.WriteTo(output);
    }

    /// <summary>Writes the text slice by slice, as fast as it is read. The last slice is not flushed: more may follow it.</summary>
    /// <param name="writer">Where it goes, and who says when the reader wants more.</param>
    /// <param name="output">What the bytes are handed to: the writer, or what changes them before.</param>
    /// <param name="cancellation">Ends the wait for the reader.</param>
    /// <returns>False where the reader takes no more.</returns>
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
