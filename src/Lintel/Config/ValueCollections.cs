using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Lintel.Config;

/// <summary>
/// An immutable list that equals another one with equal items, so that configuration records compare by value: a reload keeps what did not
/// change.
/// </summary>
/// <typeparam name="T">The item.</typeparam>
[CollectionBuilder(typeof(ValueList), nameof(ValueList.Create))]
public sealed class ValueList<T> : IReadOnlyList<T>, IEquatable<ValueList<T>>
{
    private readonly T[] _items;

    internal ValueList(T[] items) => _items = items;

    /// <summary>One for all: most lists of a configuration are empty.</summary>
    internal static ValueList<T> Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _items.Length;

    /// <inheritdoc/>
    public T this[int index] => _items[index];

    /// <inheritdoc/>
    public bool Equals(ValueList<T>? other) => other is not null && _items.AsSpan().SequenceEqual(other._items);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ValueList<T>);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var item in _items)
            hash.Add(item);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)_items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Makes <see cref="ValueList{T}"/> from collection expressions.</summary>
public static class ValueList
{
    /// <summary>A list of these items.</summary>
    public static ValueList<T> Create<T>(params ReadOnlySpan<T> items) => items.IsEmpty ? ValueList<T>.Empty : new(items.ToArray());
}

/// <summary>An immutable map in declared order that equals another one with equal entries, in whatever order.</summary>
/// <typeparam name="T">The value.</typeparam>
public sealed class ValueMap<T> : IReadOnlyDictionary<string, T>, IEquatable<ValueMap<T>>, IEnumerable<KeyValuePair<string, T>>
{
    private static readonly OrderedDictionary<string, T> None = new(StringComparer.Ordinal);

    // Most maps of a configuration are empty, and 10 000 routes have 100 000 of them: an empty one shares None, which is never written to.
    private OrderedDictionary<string, T> _entries = None;

    /// <summary>An empty map; collection and index initializers fill it: <c>new() { ["users"] = … }</c>.</summary>
    public ValueMap() { }

    /// <summary>A copy of these entries.</summary>
    public ValueMap(IEnumerable<KeyValuePair<string, T>> entries)
    {
        foreach (var (key, value) in entries)
            Own().Add(key, value);
    }

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _entries.Keys;

    /// <inheritdoc/>
    public IEnumerable<T> Values => _entries.Values;

    /// <summary>Reads an entry; sets one while the map is being initialized.</summary>
    public T this[string key]
    {
        get => _entries[key];
        init => Own()[key] = value;
    }

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _entries.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => _entries.TryGetValue(key, out value);

    /// <inheritdoc/>
    public bool Equals(ValueMap<T>? other)
    {
        if (other is null || Count != other.Count)
            return false;
        if (ReferenceEquals(_entries, other._entries))
            return true;
        foreach (var (key, value) in _entries)
        {
            if (!other.TryGetValue(key, out var its) || !EqualityComparer<T>.Default.Equals(value, its))
                return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ValueMap<T>);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var sum = 0;
        foreach (var (key, value) in _entries)
            sum += HashCode.Combine(key, value); // a sum: entries in another order are the same map
        return sum;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private OrderedDictionary<string, T> Own() => _entries == None ? _entries = new(StringComparer.Ordinal) : _entries;
}
