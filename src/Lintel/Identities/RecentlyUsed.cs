using System.Diagnostics.CodeAnalysis;

namespace Lintel.Identities;

/// <summary>Values by key, of which the least recently used one is dropped at the bound.</summary>
/// <remarks>Thread rule: any number of callers; the lock is held for a few instructions.</remarks>
/// <param name="capacity">The greatest number of values.</param>
internal sealed class RecentlyUsed<TKey, TValue>(int capacity)
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, LinkedListNode<(TKey Key, TValue Value)>> _byKey = [];
    private readonly LinkedList<(TKey Key, TValue Value)> _byUse = [];

    public int Count
    {
        get
        {
            lock (_lock)
                return _byKey.Count;
        }
    }

    /// <summary>Finds a value.</summary>
    public bool TryGet(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        lock (_lock)
        {
            if (_byKey.TryGetValue(key, out var node))
            {
                Use_NeedsLock(node);
                value = node.Value.Value;
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>Sets a value.</summary>
    public void Set(TKey key, TValue value)
    {
        lock (_lock)
        {
            if (_byKey.TryGetValue(key, out var node))
            {
                node.Value = (key, value);
                Use_NeedsLock(node);
                return;
            }

            Add_NeedsLock(key, value);
        }
    }

    /// <summary>Returns the value of a key, which is created if there is none.</summary>
    public TValue GetOrAdd(TKey key, Func<TValue> create)
    {
        lock (_lock)
        {
            if (_byKey.TryGetValue(key, out var node))
                Use_NeedsLock(node);
            else
                node = Add_NeedsLock(key, create());
            return node.Value.Value;
        }
    }

    private LinkedListNode<(TKey Key, TValue Value)> Add_NeedsLock(TKey key, TValue value)
    {
        if (_byKey.Count >= capacity)
        {
            _byKey.Remove(_byUse.Last!.Value.Key);
            _byUse.RemoveLast();
        }

        return _byKey[key] = _byUse.AddFirst((key, value));
    }

    private void Use_NeedsLock(LinkedListNode<(TKey Key, TValue Value)> node)
    {
        if (_byUse.First == node)
            return;
        _byUse.Remove(node);
        _byUse.AddFirst(node);
    }
}
