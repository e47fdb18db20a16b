using System.Runtime.InteropServices;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Enumerates the elements of an array, in a document or in memory.</summary>
internal ref struct Elements
{
    private readonly ReadOnlySpan<Value> _made;
    private readonly bool _isMade;
    private JsonElement.ArrayEnumerator _raw;
    private int _next;

    /// <param name="array">An array.</param>
    public Elements(in Value array)
    {
        if (array.Made is Items items)
        {
            _made = items.Span;
            _isMade = true;
        }
        else
            _raw = array.Raw.EnumerateArray();
    }

    public readonly Elements GetEnumerator() => this;

    public readonly Value Current => _isMade ? _made[_next - 1] : new Value(_raw.Current);

    public bool MoveNext() => _isMade ? _next++ < _made.Length : _raw.MoveNext();
}

/// <summary>Enumerates the members of an object, in a document or in memory: the properties describe the current member.</summary>
internal ref struct Properties
{
    private readonly Members? _made;
    private JsonElement.ObjectEnumerator _raw;
    private int _next;

    /// <param name="value">An object.</param>
    public Properties(in Value value)
    {
        _made = value.Made as Members;
        if (_made is null)
            _raw = value.Raw.EnumerateObject();
    }

    public readonly Value Value => _made is null ? new Value(_raw.Current.Value) : _made.Values[_next - 1];

    /// <summary>The name for use in another object; allocated if it is in a document.</summary>
    public readonly Name Name => _made is null ? Name.OfRaw(JsonMarshal.GetRawUtf8PropertyName(_raw.Current)) : _made.Names[_next - 1];

    /// <summary>What the name means, in UTF-8.</summary>
    public readonly ReadOnlySpan<byte> Text
    {
        get
        {
            if (_made is not null)
                return _made.Names[_next - 1].Utf8;
            var raw = JsonMarshal.GetRawUtf8PropertyName(_raw.Current);
            return raw.Contains((byte)'\\') ? Escapes.Decode(raw) : raw;
        }
    }

    public bool MoveNext() => _made is null ? _raw.MoveNext() : _next++ < _made.Names.Count;
}
