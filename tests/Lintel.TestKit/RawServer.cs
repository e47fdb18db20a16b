using System.Net;
using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>A server that does with each connection what the test says: reset, hang, lie.</summary>
public sealed class RawServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<IDisposable> _connections = [];
    private int _count;

    private RawServer()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
    }

    public string Address => $"http://127.0.0.1:{Port}";

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public int Connections => Volatile.Read(ref _count);

    public static RawServer Start(Func<RawConnection, Task> serve)
    {
        var server = new RawServer();
        server._listener.Listen(128);
        _ = server.AcceptAsync(serve);
        return server;
    }

    /// <summary>Answers every request with these bytes, then closes the connection.</summary>
    public static RawServer Answer(string bytes) => Start(async connection =>
    {
        await connection.ReadHeadAsync();
        await connection.SendAsync(bytes);
        connection.Dispose();
    });

    /// <summary>An address where nobody listens: bound, so that nobody else gets it, but not listening.</summary>
    public static RawServer Refusing() => new();

    /// <summary>A listener whose queue is full: connecting to it hangs.</summary>
    public static async Task<RawServer> FullAsync()
    {
        var server = new RawServer();
        server._listener.Listen(0);
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            server._connections.Add(socket);
            var connecting = socket.ConnectAsync(IPAddress.Loopback, server.Port);
            if (await Task.WhenAny(connecting, Task.Delay(200)) != connecting)
            {
                _ = connecting.ContinueWith(static t => t.Exception, TaskScheduler.Default);
                return server;
            }
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_connections)
            _connections.ForEach(c => c.Dispose());
    }

    private async Task AcceptAsync(Func<RawConnection, Task> serve)
    {
        try
        {
            while (true)
            {
                var connection = new RawConnection(await _listener.AcceptAsync());
                Interlocked.Increment(ref _count);
                lock (_connections)
                    _connections.Add(connection);
                _ = ServeAsync(serve, connection);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task ServeAsync(Func<RawConnection, Task> serve, RawConnection connection)
    {
        try
        {
            await serve(connection);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException or TimeoutException or OperationCanceledException)
        {
            // The other side went away; what matters is what the test saw.
        }
    }
}
