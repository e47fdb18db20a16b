using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Lintel.Transport.Loop;
using Lintel.Transport.Memory;
using Microsoft.Extensions.Logging;

namespace Lintel.Transport.Tests.Loop;

/// <summary>Helpers for socket protocols.</summary>
public enum Family
{
    IPv4,
    IPv6,
    Unix,
}

/// <summary>Event loops, and connections between them and plain sockets under the control of the test.</summary>
internal sealed class Wire : IDisposable, ILogger<LoopGroup>
{
    /// <summary>Generous: two busy cores must not make a test fail.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Socket _listener;
    private readonly string? _path;

    public Wire(Family family = Family.IPv4, int loops = 1, int backlog = 512)
    {
        Loops = new LoopGroup(loops, this) { Memory = Memory };
        _path = family == Family.Unix ? Path.Combine(Path.GetTempPath(), $"lintel-wire-{Guid.NewGuid():N}.sock") : null;
        EndPoint address = family switch
        {
            Family.IPv4 => new IPEndPoint(IPAddress.Loopback, 0),
            Family.IPv6 => new IPEndPoint(IPAddress.IPv6Loopback, 0),
            _ => new UnixDomainSocketEndPoint(_path!),
        };
        _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(address);
        _listener.Listen(backlog);
    }

    public LoopGroup Loops { get; }

    /// <summary>The budget for unread output.</summary>
    public MemoryBudget Memory { get; } = new(1 << 30);

    public EventLoop Loop => Loops.Loops[0];

    public EndPoint Address => _listener.LocalEndPoint!;

    /// <summary>Messages of the loops: a healthy loop has none.</summary>
    public ConcurrentQueue<string> Log { get; } = new();

    /// <summary>A connection that a loop makes.</summary>
    public async Task<(LoopStream Ours, Socket Peer)> ConnectAsync()
    {
        var ours = await LoopStream.ConnectAsync(Loop, Address, CancellationToken.None);
        return (ours, await AcceptAsync());
    }

    /// <summary>A connection that a loop takes over, as a listener's.</summary>
    public async Task<(LoopConnection Ours, Socket Peer)> TakeAsync()
    {
        var peer = new Socket(Address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        await peer.ConnectAsync(Address);
        return ((LoopConnection)Loops.Accept(await AcceptAsync()), peer);
    }

    public Task<Socket> AcceptAsync() => _listener.AcceptAsync().WaitAsync(Patience);

    /// <summary>Waits until no loop has a socket.</summary>
    public Task UntilUnusedAsync() => UntilAsync(() => Loops.Loops.All(l => l.Connections == 0));

    public void Dispose()
    {
        _listener.Dispose();
        Loops.Dispose();
        if (_path is not null)
            File.Delete(_path);
    }

    /// <summary>Writes bytes into a pipe, without flushing.</summary>
    public static void Write(PipeWriter output, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var room = output.GetSpan(1);
            var count = Math.Min(room.Length, bytes.Length);
            bytes[..count].CopyTo(room);
            output.Advance(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Waits on the thread pool, off the loop.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        do await Task.Delay(2, patience.Token);
        while (!condition());
    }

    /// <summary>Bytes that encode their position.</summary>
    public static byte[] Pattern(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }

    public static void AssertSame(byte[] expected, byte[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(-1, expected.AsSpan().CommonPrefixLength(actual) is var same && same == expected.Length ? -1 : same);
    }

    /// <summary>Sends until the system accepts no more.</summary>
    public static int Fill(Socket peer, byte[] bytes)
    {
        peer.Blocking = false;
        var sent = 0;
        while (sent < bytes.Length)
        {
            sent += peer.Send(bytes.AsSpan(sent), SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                break;
            Assert.Equal(SocketError.Success, error);
        }

        peer.Blocking = true;
        return sent;
    }

    /// <summary>Receives so many bytes, or to the end where there are fewer.</summary>
    public static async Task<byte[]> ReceiveAsync(Socket peer, int count)
    {
        var bytes = new byte[count];
        var at = 0;
        while (at < count && await peer.ReceiveAsync(bytes.AsMemory(at)).AsTask().WaitAsync(Patience) is not 0 and var received)
            at += received;
        return bytes[..at];
    }

    /// <summary>Reads byte by byte, off the loop, concurrently with a sender: a wait may complete before its call returns.</summary>
    /// <param name="peer">Sends a byte whenever one is asked for.</param>
    /// <param name="readOne">Reads it.</param>
    public static async Task ReadManyAsync(Socket peer, Func<Task> readOne)
    {
        const int Count = 20_000;
        var random = new Random(9);
        var asked = 0;
        var sending = Task.Run(() =>
        {
            for (var i = 1; i <= Count; i++)
            {
                SpinWait.SpinUntil(() => Volatile.Read(ref asked) >= i);
                peer.Send([1]);
            }
        });
        for (var i = 1; i <= Count; i++)
        {
            Volatile.Write(ref asked, i);
            Thread.SpinWait(random.Next(600)); // so that the loop tells of the byte just when the wait begins, now and then
            await readOne();
        }

        await sending;
    }

    /// <summary>Ends a connection by a reset.</summary>
    public static void Reset(Socket peer)
    {
        peer.LingerState = new LingerOption(true, 0);
        peer.Dispose();
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    ) => Log.Enqueue($"{formatter(state, exception)} {exception}");
}

/// <summary>An action of a test on a loop.</summary>
internal sealed class Work(Action action) : ILoopWork
{
    public void Run() => action();
}
