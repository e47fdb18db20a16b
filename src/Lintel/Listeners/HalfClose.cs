using System.Net.Sockets;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Lintel.Listeners;

/// <summary>Distinguishes half-closed client connections from disconnected ones, for Kestrel's sockets.</summary>
/// <remarks>
/// To Kestrel's transport the end of the client's sending is the end of the connection, and cancels the request under way. But a client may
/// end its side after a whole request and still wait for the answer (RFC 9112 section 9.6). What it has sent then ends for the reader, and
/// the connection is closed when the system says that it takes no more: asked at the end, and with each heartbeat, a second apart. Event
/// loops tell the two apart themselves.
/// </remarks>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Reliability",
    "CA1001",
    Justification = "A source without a timer holds nothing to free, and its token is asked after the connection's end."
)]
internal sealed class HalfClose
{
    private readonly CancellationTokenSource _gone = new();
    private readonly Socket _socket;
    private volatile bool _hasEnded;

    private HalfClose(Socket socket) => _socket = socket;

    /// <summary>Treats the connection as closed when the client has disconnected.</summary>
    public static void Watch(ConnectionContext connection)
    {
        if (
            !OperatingSystem.IsLinux()
            || connection.Features.Get<LoopConnection>() is not null
            || connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket
        )
            return;
        var watch = new HalfClose(socket);
        connection.ConnectionClosed.UnsafeRegister(static w => ((HalfClose)w!).Ended(), watch);
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static w => ((HalfClose)w).Look(), watch);
        connection.ConnectionClosed = watch._gone.Token;
    }

    private void Ended()
    {
        _hasEnded = true;
        Look();
    }

    private void Look()
    {
        if (_hasEnded && !_gone.IsCancellationRequested && !SocketState.TakesBytes(_socket))
            _gone.Cancel();
    }
}
