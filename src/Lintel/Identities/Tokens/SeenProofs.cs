namespace Lintel.Identities.Tokens;

/// <summary>The proofs that have been used, for as long as they would be accepted again.</summary>
/// <remarks>
/// Thread rule: takes a lock. Two generations: the older one is dropped when the younger one is as old as proofs can be, so that what is
/// remembered is bounded without a timer.
/// </remarks>
/// <param name="lifetime">How long a proof is accepted, from its first use on.</param>
/// <param name="capacity">The number of proofs in a generation.</param>
/// <param name="time">The clock.</param>
internal sealed class SeenProofs(TimeSpan lifetime, int capacity, TimeProvider time)
{
    private readonly Lock _lock = new();
    private HashSet<TokenHash> _younger = [];
    private HashSet<TokenHash> _older = [];
    private long _begun = time.GetTimestamp();

    /// <summary>Remembers a proof.</summary>
    /// <returns>False if it has been used before; <see langword="null"/> if there is no room to remember it.</returns>
    public bool? TryAdd(TokenHash proof)
    {
        lock (_lock)
        {
            var age = time.GetElapsedTime(_begun);
            if (age >= lifetime)
            {
                (_older, _younger) = (age >= 2 * lifetime ? [] : _younger, []);
                _begun = time.GetTimestamp();
            }

            if (_older.Contains(proof) || _younger.Contains(proof))
                return false;
            if (_younger.Count >= capacity)
                return null;
            _younger.Add(proof);
            return true;
        }
    }
}
