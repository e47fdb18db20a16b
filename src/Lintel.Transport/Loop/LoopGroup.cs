using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Transport.Loop;

/// <summary>A callback that held a loop, and with it every connection of the loop.</summary>
/// <param name="Loop">Which loop.</param>
/// <param name="Held">For how long, up to now.</param>
/// <param name="Subject">What <see cref="EventLoop.Subject"/> was.</param>
/// <param name="IsOver">Whether the loop goes on; otherwise it is still held.</param>
public sealed record LoopStall(int Loop, TimeSpan Held, object? Subject, bool IsOver);

/// <summary>The event loops of a process: one for each core that it may use.</summary>
/// <remarks>Connections are handed out to the loop that has the fewest: SO_REUSEPORT's hash leaves loops idle when connections are few and long (decision 0011).</remarks>
public sealed class LoopGroup : IDisposable
{
    /// <summary>What holds a loop longer is told: fifty times a usual request's whole time in the gateway, and what a person begins to notice.</summary>
    public static readonly TimeSpan StallThreshold = TimeSpan.FromMilliseconds(50);

    private readonly EventLoop[] _loops;
    private readonly Timer _watch;
    private uint _next;

    /// <exception cref="PlatformNotSupportedException">The system has no epoll: see <see cref="IsSupported"/>.</exception>
    public LoopGroup(int count, ILogger<LoopGroup> logger)
    {
        if (!IsSupported)
            throw new PlatformNotSupportedException("Event loops need Linux's epoll.");
        Logger = logger;
        _loops = [.. Enumerable.Range(0, count).Select(i => new EventLoop(this, i))];
        _watch = new Timer(static g => ((LoopGroup)g!).Watch(), this, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <summary>Whether this system has epoll.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>A callback has held a loop longer than <see cref="StallThreshold"/>, or holds it still.</summary>
    public event Action<LoopStall>? Stalled;

    /// <summary>The loops.</summary>
    public IReadOnlyList<EventLoop> Loops => _loops;

    internal ILogger Logger { get; }

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

    /// <summary>A callback that never returns would never be told of at its end.</summary>
    private void Watch()
    {
        foreach (var loop in _loops)
        {
            if (loop.Entered is not 0 and var entered && System.Diagnostics.Stopwatch.GetElapsedTime(entered) is var held && held >= TimeSpan.FromSeconds(1))
                Tell(new LoopStall(loop.Index, held, loop.Subject, IsOver: false));
        }
    }
}
