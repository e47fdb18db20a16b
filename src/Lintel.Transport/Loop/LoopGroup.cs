using System.Diagnostics;
using System.Net.Sockets;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Transport.Loop;

/// <summary>The event loops of a process: one for each core that it may use.</summary>
/// <remarks>
/// Connections are assigned to the loop with the fewest connections: the hash of SO_REUSEPORT leaves loops idle when connections are few
/// and long-lived (decision 0011).
/// </remarks>
public sealed class LoopGroup : IDisposable
{
    /// <summary>
    /// The duration from which a blocked loop is reported: fifty times the usual time of a request in the gateway, and the limit of human
    /// perception.
    /// </summary>
    public static readonly TimeSpan StallThreshold = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// The duration after which a blocked loop is considered hung: the process should be restarted. It is the longest that the usual
    /// timeouts of clients allow.
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

    /// <summary>Raised when a callback has blocked a loop longer than <see cref="StallThreshold"/>, or still blocks it.</summary>
    public event Action<LoopStall>? Stalled;

    /// <summary>The loops.</summary>
    public IReadOnlyList<EventLoop> Loops => _loops;

    /// <summary>Whether a callback has blocked a loop for <see cref="HangThreshold"/> and still blocks it.</summary>
    public bool Hangs => _loops.Any(l => l.Entered is not 0 and var entered && Stopwatch.GetElapsedTime(entered) >= HangsAfter);

    /// <summary><see cref="HangThreshold"/>, for tests shorter.</summary>
    internal TimeSpan HangsAfter { get; init; } = HangThreshold;

    internal ILogger Logger { get; }

    internal LoopWatch Watch => _watch;

    /// <summary>Sockets of all loops.</summary>
    internal long Connections => _loops.Sum(l => (long)l.Connections);

    /// <summary>The budget of the memory for unread output.</summary>
    internal MemoryBudget Memory { get; init; } = new(long.MaxValue);

    /// <summary>Accepts a socket and transfers its ownership to the connection.</summary>
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

    internal void ReportStall(LoopStall stall) => Stalled?.Invoke(stall);
}
