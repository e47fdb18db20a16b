using System.Buffers;
using System.Text;

namespace Lintel.JmesPath;

/// <summary>A member name, in decoded form for lookups, and in JSON form with quotes and colon for output.</summary>
internal sealed class Name
{
    private readonly byte[] _json;
    private readonly byte[]? _decoded;

    private Name(byte[] json, byte[]? decoded)
    {
        _json = json;
        _decoded = decoded;
    }

    /// <summary>The decoded name, in UTF-8.</summary>
    public ReadOnlySpan<byte> Utf8 => _decoded ?? _json.AsSpan(1, _json.Length - 3);

    /// <summary><c>"name":</c></summary>
    public ReadOnlySpan<byte> Json => _json;

    public static Name Of(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var buffer = new ArrayBufferWriter<byte>(utf8.Length + 8);
        var json = new JsonText(buffer, long.MaxValue);
        Escapes.Write(utf8, ref json);
        json.Append(":"u8);
        json.Flush();
        return new Name(buffer.WrittenSpan.ToArray(), buffer.WrittenCount == utf8.Length + 3 ? null : utf8);
    }

    /// <summary>A name from a document, without quotes; it is written unchanged.</summary>
    public static Name OfRaw(ReadOnlySpan<byte> escaped)
    {
        var json = new byte[escaped.Length + 3];
        json[0] = (byte)'"';
        escaped.CopyTo(json.AsSpan(1));
        "\":"u8.CopyTo(json.AsSpan(escaped.Length + 1));
        return new Name(json, escaped.Contains((byte)'\\') ? Escapes.Decode(escaped) : null);
    }

    public override string ToString() => Encoding.UTF8.GetString(Utf8);
}
