using System.Diagnostics.CodeAnalysis;

namespace Lintel.JmesPath;

/// <summary>
/// The distinct member names of an object, in order. The names of an object expression and of the scope of a composition are created at
/// load time and shared by all requests.
/// </summary>
internal sealed class Names
{
    /// <summary>
    /// Up to here each name is looked at; with more of them there is a table. An object of a document must not cost its size squared.
    /// </summary>
    private const int LookedThrough = 8;

    private readonly Name[] _names;
    private readonly Dictionary<Name, int>.AlternateLookup<ReadOnlySpan<byte>>? _indices;

    public Names(params ReadOnlySpan<string> names)
        : this(Make(names)) { }

    public Names(Name[] names)
    {
        _names = names;
        if (names.Length <= LookedThrough)
            return;
        var indices = NewTable<int>(names.Length);
        for (var i = 0; i < names.Length; i++)
            indices.Add(names[i], i);
        _indices = indices.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public int Count => _names.Length;

    public Name this[int index] => _names[index];

    /// <summary>The member's place, or −1.</summary>
    public int IndexOf(ReadOnlySpan<byte> name)
    {
        if (_indices is { } indices)
            return indices.TryGetValue(name, out var index) ? index : -1;
        for (var i = 0; i < _names.Length; i++)
        {
            if (_names[i].Utf8.SequenceEqual(name))
                return i;
        }

        return -1;
    }

    /// <summary>A table whose keys can be looked up by UTF-8.</summary>
    public static Dictionary<Name, T> NewTable<T>(int capacity) => new(capacity, new ByUtf8());

    private static Name[] Make(ReadOnlySpan<string> names)
    {
        var made = new Name[names.Length];
        for (var i = 0; i < made.Length; i++)
            made[i] = Name.Of(names[i]);
        return made;
    }

    /// <summary><see cref="HashCode"/> is seeded for each process: a document cannot be made to collide.</summary>
    private sealed class ByUtf8 : IEqualityComparer<Name>, IAlternateEqualityComparer<ReadOnlySpan<byte>, Name>
    {
        public bool Equals(Name? x, Name? y) => x!.Utf8.SequenceEqual(y!.Utf8);

        public bool Equals(ReadOnlySpan<byte> alternate, Name other) => alternate.SequenceEqual(other.Utf8);

        public int GetHashCode([DisallowNull] Name obj) => GetHashCode(obj.Utf8);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public Name Create(ReadOnlySpan<byte> alternate) => Name.OfRaw(alternate);
    }
}
