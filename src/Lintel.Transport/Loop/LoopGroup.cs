using System.Diagnostics;
using System.Net.Sockets;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Transport.Loop;

/// <summary>The event loops of a process: one for each core that it may use.</summary>
/// <remarks>
/// Connections are handed out to the loop that has the fewest: SO_REUSEPORT's hash leaves loops idle when connections are few and long
/// (decision 0011).
/// </remarks>
public sealed class LoopGroup : IDisposable
{
    /// <summary>
    /// What holds a loop longer is told: fifty times a usual request's whole time in the gateway, and what a person begins to notice.
    /// </summary>
    public static readonly TimeSpan StallThreshold = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// A loop that one callback holds so long will not go on by itself: whoever restarts the process should do it now. The longest that a
    /// client's usual timeouts leave room for.
    /// </summary>
    public static readonly TimeSpan HangThreshold = TimeSpan.FromSeconds(10);

    private readonly EventLoop[] _loops;
    private readonly LoopWatch _watch;
    private uint _next;

    /// <exception cref="PlatformNotSupportedException">The system has no epoll: see <see cref="IsSupported"/>.</exception>
    public LoopGroup(int count, ILogger<LoopGroup> logger)
    {
        if (!IsSupported)
            throw new PlatformNotSupportedException("Event loops require epoll (Linux).");
        Logger = logger;
        _watch = new LoopWatch(this, count);
        _loops = [.. Enumerable.Range(0, count).Select(i => new EventLoop(this, i))];
        _watch.Start();
    }

    /// <summary>Whether this system has epoll.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>A callback has held a loop longer than <see cref="StallThreshold"/>, or holds it still.</summary>
    public event Action<LoopStall>? Stalled;

    /// <summary>The loops.</summary>
    public IReadOnlyList<EventLoop> Loops => _loops;

    /// <summary>Whether a callback has held a loop for <see cref="HangThreshold"/> and holds it still.</summary>
    public bool Hangs => _loops.Any(l => l.Entered is not 0 and var entered && Stopwatch.GetElapsedTime(entered) >= HangsAfter);

    /// <summary><see cref="HangThreshold"/>, for tests shorter.</summary>
    internal TimeSpan HangsAfter { get; init; } = HangThreshold;

    internal ILogger Logger { get; }

    internal LoopWatch Watch => _watch;

    /// <summary>Sockets of all loops.</summary>
    internal long Connections => _loops.Sum(l => (long)l.Connections);

    /// <summary>Where the memory of what clients do not read comes from.</summary>
    internal MemoryBudget Memory { get; init; } = new(long.MaxValue);

    /// <summary>Takes over an accepted socket: it is the connection's from now on.</summary>
    public ConnectionContext Accept(Socket socket)
    {
        var connection = new LoopConnection(Choose(), socket);
        connection.Start();
        return connection;
    }

    /// <summary>The loop for a new connection: the one with the fewest.</summary>
    internal EventLoop Choose()
    {
        var first = Interlocked.Increment(ref _next);
        var chosen = _loops[first % _loops.Length];
        for (var i = 1; i < _loops.Length; i++)
        {
            var other = _loops[(first + i) % _loops.Length];
            if (other.Connections < chosen.Connections)
                chosen = other;
        }

        return chosen;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _watch.Dispose();
        foreach (var loop in _loops)
            loop.Stop();
    }

    internal void Tell(LoopStall stall) => Stalled?.Invoke(stall);
}
