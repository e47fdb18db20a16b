using System.Buffers;
using System.Runtime.InteropServices;

namespace Lintel.JmesPath;

/// <summary>
/// The JSON text of a value in pieces: the output of <see cref="Value.WriteTo"/>, for a writer that has to wait in between.
/// </summary>
internal sealed class ValueText(in Value value)
{
    private readonly Stack<(object Of, int Next)> _open = new();
    private Value? _next = value;
    private int _written; // of a text in a document

    /// <summary>Whether all of it is written.</summary>
    public bool IsWhole => _next is null && _open.Count == 0;

    /// <summary>Writes on.</summary>
    /// <param name="output">Where to. It is advanced.</param>
    /// <param name="count">About how many bytes: a string that was made, and a member's name, are never parted.</param>
    /// <returns>How many bytes that were.</returns>
    public long Write(IBufferWriter<byte> output, int count)
    {
        var text = new JsonText(output, long.MaxValue);
        while (text.Length < count && Step(ref text, count)) { }

        text.Flush();
        return text.Length;
    }

    private bool Step(ref JsonText text, int count)
    {
        if (_next is { } value)
        {
            Begin(value, ref text, count);
            return true;
        }

        if (!_open.TryPop(out var top))
            return false;
        if (top.Of is Items items)
            Continue(items, top.Next, ref text);
        else
            Continue((Members)top.Of, top.Next, ref text);
        return true;
    }

    private void Begin(in Value value, ref JsonText text, int count)
    {
        switch (value.Made)
        {
            case null when !value.IsNull:
                var raw = JsonMarshal.GetRawUtf8Value(value.Raw)[_written..];
                var now = (int)Math.Min(raw.Length, count - text.Length);
                text.Append(raw[..now]);
                _written += now;
                if (now < raw.Length)
                    return;
                break;
            case Items items:
                text.Append("["u8);
                _open.Push((items, 0));
                break;
            case Members members:
                text.Append("{"u8);
                _open.Push((members, 0));
                break;
            default:
                text.Append(value);
                break;
        }

        _next = null;
        _written = 0;
    }

    private void Continue(Items items, int index, ref JsonText text)
    {
        if (index == items.Span.Length)
        {
            text.Append("]"u8);
            return;
        }

        if (index > 0)
            text.Append(","u8);
        _open.Push((items, index + 1));
        _next = items.Span[index];
    }

    private void Continue(Members members, int index, ref JsonText text)
    {
        if (index == members.Names.Count)
        {
            text.Append("}"u8);
            return;
        }

        if (index > 0)
            text.Append(","u8);
        text.Append(members.Names[index].Json);
        _open.Push((members, index + 1));
        _next = members.Values[index];
    }
}
