using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Lintel.Identities.Tokens;

/// <summary>The SHA-256 hash of a token: what is kept of it.</summary>
internal readonly record struct TokenHash(UInt128 Start, UInt128 End)
{
    private const int MaxOnStack = 2048;

    /// <summary>Hashes a token, which may contain any text.</summary>
    public static TokenHash Of(ReadOnlySpan<char> token)
    {
        var length = Encoding.UTF8.GetMaxByteCount(token.Length);
        return length <= MaxOnStack ? Of(token, stackalloc byte[MaxOnStack]) : Of(token, new byte[length]);
    }

    private static TokenHash Of(ReadOnlySpan<char> token, Span<byte> buffer)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer[..Encoding.UTF8.GetBytes(token, buffer)], hash);
        return MemoryMarshal.Read<TokenHash>(hash);
    }
}

/// <summary>What is known of tokens, for a bounded number of them.</summary>
/// <remarks>
/// Thread rule: any number of callers. Reads take no lock; additions do. Beyond the bound the clock algorithm removes an entry that was not
/// used lately.
/// </remarks>
/// <typeparam name="T">What is known of a token.</typeparam>
/// <param name="capacity">The number of entries.</param>
internal sealed class TokenCache<T>(int capacity)
    where T : class
{
    private readonly ConcurrentDictionary<TokenHash, Entry> _entries = new();
    private readonly List<Entry> _ring = [];
    private readonly Lock _lock = new();
    private int _hand;

    /// <summary>The number of entries, including those that have ended.</summary>
    public int Count => _entries.Count;

    /// <summary>Finds what is known of a token.</summary>
    /// <param name="hash">The token.</param>
    /// <param name="now">The current time.</param>
    /// <param name="value">What is known.</param>
    public bool TryGet(TokenHash hash, DateTimeOffset now, [NotNullWhen(true)] out T? value)
    {
        value = null;
        if (!_entries.TryGetValue(hash, out var entry) || entry.Until <= now)
            return false;
        if (!entry.IsUsed)
            entry.IsUsed = true;
        value = entry.Value;
        return true;
    }

    /// <summary>Adds what is known of a token, or replaces it.</summary>
    /// <param name="hash">The token.</param>
    /// <param name="value">What is known.</param>
    /// <param name="until">The time from which it is not known any more.</param>
    public void Set(TokenHash hash, T value, DateTimeOffset until)
    {
        var entry = new Entry(hash, value, until);
        lock (_lock)
        {
            if (_entries.TryGetValue(hash, out var before))
                entry.Place = before.Place;
            else if (_ring.Count < capacity)
                entry.Place = _ring.Count;
            else
                entry.Place = Evict();
            if (entry.Place == _ring.Count)
                _ring.Add(entry);
            else
                _ring[entry.Place] = entry;
            _entries[hash] = entry;
        }
    }

    /// <summary>Frees the place of an entry that has not been used since the hand passed it last.</summary>
    private int Evict()
    {
        while (true)
        {
            _hand = _hand + 1 < _ring.Count ? _hand + 1 : 0;
            var entry = _ring[_hand];
            if (entry.IsUsed)
            {
                entry.IsUsed = false;
                continue;
            }

            _entries.TryRemove(entry.Hash, out _);
            return _hand;
        }
    }

    private sealed class Entry(TokenHash hash, T value, DateTimeOffset until)
    {
        public TokenHash Hash { get; } = hash;

        public T Value { get; } = value;

        public DateTimeOffset Until { get; } = until;

        public int Place { get; set; }

        public bool IsUsed { get; set; }
    }
}
