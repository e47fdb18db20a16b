namespace Lintel.Transport.Http1;

/// <summary>
/// How much the lines of a chunked body's sizes are longer than their chunks account for, over the whole body: the rule and the numbers are
/// Go's (net/http/internal, CVE-2023-39326).
/// </summary>
internal struct ChunkExcess
{
    private const int Most = 16 * 1024;

    /// <summary>What a chunk accounts for: a line of sixteen bytes, and twice its data.</summary>
    private const int FreeLine = 16;

    /// <summary>A large chunk compensates for earlier framing, and for at most a few long lines after it.</summary>
    private const int MostCredit = Most + 4096;

    private long _excess;

    /// <summary>Counts a chunk.</summary>
    /// <param name="line">The length of the line with its size and extensions.</param>
    /// <param name="data">The length of its data.</param>
    /// <returns>False when the body is more framing than data.</returns>
    public bool TryTake(int line, long data)
    {
        _excess = Math.Max(0, _excess + line - FreeLine - Math.Min(2 * data, MostCredit));
        return _excess <= Most;
    }
}
