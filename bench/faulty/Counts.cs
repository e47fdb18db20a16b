using System.Diagnostics;
using System.Globalization;

namespace Lintel.Bench.Faulty;

/// <summary>What an instance has received; health checks are not counted.</summary>
internal sealed class Counts
{
    private const int Seconds = 600;

    private readonly long _begun = Stopwatch.GetTimestamp();
    private readonly int[] _bySecond = new int[Seconds];
    private int _requests;
    private int _faults;
    private int _connections;

    /// <summary>A request has come.</summary>
    /// <returns>Its number, from 1.</returns>
    public int Requested()
    {
        var second = (int)Stopwatch.GetElapsedTime(_begun).TotalSeconds;
        Interlocked.Increment(ref _bySecond[Math.Min(second, Seconds - 1)]);
        return Interlocked.Increment(ref _requests);
    }

    public void Connected() => Interlocked.Increment(ref _connections);

    public void Failed() => Interlocked.Increment(ref _faults);

    /// <summary>requests, faults, connections, and the requests of the second that had most of them.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Volatile.Read(ref _requests)} {Volatile.Read(ref _faults)} {Volatile.Read(ref _connections)} {_bySecond.Max()}"
        );
}
