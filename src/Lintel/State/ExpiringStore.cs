using System.Collections.Concurrent;

namespace Lintel.State;

/// <summary>
/// Values that expire, by key, in the memory of the process: what policies keep between requests, such as sessions. Reloads do not affect
/// it.
/// </summary>
/// <remarks>
/// Bounded in number and size. A new value for which there is no room replaces the oldest ones, in the order in which their keys were
/// added: so a value that revokes older ones never leaves before them. Values are bytes, and every operation may wait, as those of a store
/// in another process would. Thread rule: reading takes no lock; adding, replacing and removing do.
/// </remarks>
internal sealed class ExpiringStore : IDisposable
{
    /// <summary>The default limit of entries.</summary>
    public const int DefaultEntries = 100_000;

    /// <summary>The default limit of bytes: 100 000 sessions with tokens of 2 KiB, about.</summary>
    public const long DefaultBytes = 256L << 20;

    /// <summary>What an entry costs beside its value: the entry, its key, its places in the table and in the order.</summary>
    private const int Overhead = 256;

    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _order = [];
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly int _maxEntries;
    private readonly long _maxBytes;
    private ITimer? _sweep;
    private long _bytes;
    private long _evicted;

    /// <param name="time">The clock.</param>
    /// <param name="maxEntries">The most entries.</param>
    /// <param name="maxBytes">The most bytes of all values and what they cost beside.</param>
    public ExpiringStore(TimeProvider time, int maxEntries = DefaultEntries, long maxBytes = DefaultBytes)
    {
        (_time, _maxEntries, _maxBytes) = (time, maxEntries, maxBytes);
    }

    /// <summary>The number of entries, including those that have expired and are not removed yet.</summary>
    public int Count => _entries.Count;

    /// <summary>How many values were dropped before they expired, because the store was full.</summary>
    public long Evicted => Interlocked.Read(ref _evicted);

    /// <summary>Returns a value; <see langword="null"/> if there is none, or it has expired.</summary>
    /// <param name="key">The key.</param>
    /// <param name="renewal">The time from now after which the value expires; <see langword="null"/> does not change it.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The bytes as they were given, which nobody changes.</returns>
    public ValueTask<byte[]?> FindAsync(string key, TimeSpan? renewal = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_entries.TryGetValue(key, out var entry) || !IsLive(entry))
            return new((byte[]?)null);
        if (renewal is { } lifetime)
            entry.Ends = End(lifetime);
        return new(entry.Value);
    }

    /// <summary>Stores a value, whether there is one or not.</summary>
    public ValueTask SetAsync(string key, byte[] value, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (!TryReplace(key, value, lifetime))
                Add(key, value, lifetime);
        }

        return default;
    }

    /// <summary>Stores a value if there is none.</summary>
    /// <returns>Whether it was stored.</returns>
    public ValueTask<bool> TryAddAsync(string key, byte[] value, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out var entry) && IsLive(entry))
                return new(false);
            Add(key, value, lifetime);
            return new(true);
        }
    }

    /// <summary>Replaces a value if there is one: what was removed meanwhile does not return.</summary>
    /// <returns>Whether it was stored.</returns>
    public ValueTask<bool> TryReplaceAsync(string key, byte[] value, TimeSpan lifetime, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
            return new(TryReplace(key, value, lifetime));
    }

    /// <summary>Removes a value.</summary>
    /// <returns>Whether there was one.</returns>
    public ValueTask<bool> RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
            return new(_entries.TryGetValue(key, out var entry) && Remove(entry) && IsLive(entry));
    }

    public void Dispose() => _sweep?.Dispose();

    private bool TryReplace(string key, byte[] value, TimeSpan lifetime)
    {
        if (!_entries.TryGetValue(key, out var entry) || !IsLive(entry))
            return false;
        _bytes += value.Length - entry.Value.Length;
        entry.Value = value;
        entry.Ends = End(lifetime);
        MakeRoom(keep: entry);
        return true;
    }

    private void Add(string key, byte[] value, TimeSpan lifetime)
    {
        if (_entries.TryGetValue(key, out var expired))
            Remove(expired);
        var entry = new Entry(key, value) { Ends = End(lifetime) };
        _order.AddLast(entry.Place);
        _entries[key] = entry;
        _bytes += Overhead + value.Length;
        MakeRoom(keep: entry);
        _sweep ??= _time.CreateTimer(static s => ((ExpiringStore)s!).Sweep(), this, SweepInterval, SweepInterval);
    }

    private void MakeRoom(Entry keep)
    {
        while ((_entries.Count > _maxEntries || _bytes > _maxBytes) && _order.First is { } oldest && oldest.Value != keep)
        {
            if (IsLive(oldest.Value))
                Interlocked.Increment(ref _evicted);
            Remove(oldest.Value);
        }
    }

    private bool Remove(Entry entry)
    {
        _entries.TryRemove(entry.Key, out _);
        _order.Remove(entry.Place);
        _bytes -= Overhead + entry.Value.Length;
        return true;
    }

    /// <summary>Removes what has expired, in portions, so that others do not wait for the lock for long.</summary>
    private void Sweep()
    {
        foreach (var portion in _entries.Values.Where(e => !IsLive(e)).Chunk(256))
        {
            lock (_lock)
            {
                foreach (var entry in portion)
                {
                    if (!IsLive(entry) && _entries.TryGetValue(entry.Key, out var current) && current == entry)
                        Remove(entry);
                }
            }
        }
    }

    private bool IsLive(Entry entry) => entry.Ends > _time.GetTimestamp();

    private long End(TimeSpan lifetime) => _time.GetTimestamp() + (long)(lifetime.TotalSeconds * _time.TimestampFrequency);

    private sealed class Entry
    {
        private long _ends;
        private byte[] _value;

        public Entry(string key, byte[] value)
        {
            (Key, _value) = (key, value);
            Place = new LinkedListNode<Entry>(this);
        }

        public string Key { get; }

        public LinkedListNode<Entry> Place { get; }

        public byte[] Value
        {
            get => Volatile.Read(ref _value);
            set => Volatile.Write(ref _value, value);
        }

        /// <summary>The timestamp from which it no longer counts.</summary>
        public long Ends
        {
            get => Volatile.Read(ref _ends);
            set => Volatile.Write(ref _ends, value);
        }
    }
}
