using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>
/// A JSON text on its way out, with a limit: values may share their parts, so that a small one can have a boundless text.
/// </summary>
/// <param name="output">The output; <see langword="null"/> to compute only the length.</param>
/// <param name="maxBytes">How much may go there.</param>
/// <param name="compact">Whether insignificant white space of the input is removed.</param>
internal ref struct JsonText(IBufferWriter<byte>? output, long maxBytes, bool compact = false)
{
    private Span<byte> _free;
    private int _used;

    /// <summary>How long it is so far.</summary>
    public long Length { get; private set; }

    /// <summary>Whether something did not fit. What was written then is a part without use.</summary>
    public bool IsFull { get; private set; }

    public void Append(scoped ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > maxBytes - Length || IsFull)
        {
            IsFull = true;
            return;
        }

        Length += bytes.Length;
        if (output is null)
            return;
        while (bytes.Length > _free.Length - _used)
        {
            var fits = _free.Length - _used;
            bytes[..fits].CopyTo(_free[_used..]);
            bytes = bytes[fits..];
            _used += fits;
            Flush();
            _free = output.GetSpan(Math.Min(bytes.Length, 16 * 1024)); // by name: to a response whose client has just left, "some" is none
        }

        bytes.CopyTo(_free[_used..]);
        _used += bytes.Length;
    }

    /// <summary>Hands what was written to the buffer below.</summary>
    public void Flush()
    {
        if (_used > 0)
            output!.Advance(_used); // a response refuses to be advanced before room was asked for
        _used = 0;
        _free = default;
    }

    /// <summary>Appends a value: input is copied byte for byte, created values are compact.</summary>
    public void Append(in Value value)
    {
        switch (value.Made)
        {
            case null when value.Kind == JsonValueKind.Null:
                Append("null"u8);
                break;
            case null when compact && value.Kind is JsonValueKind.Array or JsonValueKind.Object:
                AppendCompact(JsonMarshal.GetRawUtf8Value(value.Raw));
                break;
            case null:
                Append(JsonMarshal.GetRawUtf8Value(value.Raw));
                break;
            case byte[] text:
                Escapes.Write(text, ref this);
                break;
            case Number number:
                Append(number.Text);
                break;
            case Items items:
                AppendArray(items);
                break;
            case Members members:
                AppendObject(members);
                break;
            default:
                Append(value.Made == Value.Truth ? "true"u8 : "false"u8);
                break;
        }
    }

    /// <summary>Appends a text of JSON without the white space between its words.</summary>
    private void AppendCompact(ReadOnlySpan<byte> raw)
    {
        while (!raw.IsEmpty && !IsFull)
        {
            var end = raw.IndexOfAny("\"\t\n\r "u8);
            Append(end < 0 ? raw : raw[..end]);
            if (end < 0)
                return;
            raw = raw[end..];
            var length = raw[0] == '"' ? StringLength(raw) : 1;
            if (length > 1)
                Append(raw[..length]);
            raw = raw[length..];
        }
    }

    private static int StringLength(ReadOnlySpan<byte> raw)
    {
        for (var i = 1; ; i++)
        {
            i += raw[i..].IndexOfAny((byte)'"', (byte)'\\');
            if (raw[i] == '"')
                return i + 1;
            i++;
        }
    }

    private void AppendArray(Items items)
    {
        Append("["u8);
        var span = items.Span;
        for (var i = 0; i < span.Length && !IsFull; i++)
        {
            if (i > 0)
                Append(","u8);
            Append(span[i]);
        }

        Append("]"u8);
    }

    private void AppendObject(Members members)
    {
        Append("{"u8);
        var names = members.Names;
        for (var i = 0; i < names.Count && !IsFull; i++)
        {
            if (i > 0)
                Append(","u8);
            Append(names[i].Json);
            Append(members.Values[i]);
        }

        Append("}"u8);
    }
}
