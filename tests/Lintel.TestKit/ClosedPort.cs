using System.Net;
using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>An address that refuses connections while the test holds it: bound, so that it stays reserved, and never listening.</summary>
public sealed class ClosedPort : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ClosedPort() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    /// <summary>The address for a service or a receiver.</summary>
    public string Address => $"http://{_socket.LocalEndPoint}";

    public void Dispose() => _socket.Dispose();
}
