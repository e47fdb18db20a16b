using System.Net;
using System.Net.Sockets;
using Lintel.Errors;

namespace Lintel.Services.Connections;

/// <summary>
/// What the system's errors say where a connection to an instance could not be made: whether the instance, the way to it, or this machine
/// is at fault.
/// </summary>
internal static class ConnectErrors
{
    /// <summary>Whether this process or machine has nothing left to connect with.</summary>
    public static bool IsExhaustion(SocketError error) => error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable;

    /// <summary>The kind of an error.</summary>
    /// <param name="error">The system's.</param>
    /// <param name="address">Where the connection would have gone; <see langword="null"/> for a Unix socket.</param>
    public static GatewayErrorKind KindOf(SocketError error, IPAddress? address) =>
        error switch
        {
            _ when IsExhaustion(error) => GatewayErrorKind.OutOfSockets,
            SocketError.AddressNotAvailable => address is not null && HasWayTo(address)
                ? GatewayErrorKind.OutOfSockets
                : GatewayErrorKind.Unroutable,
            SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown =>
                GatewayErrorKind.Unroutable,
            SocketError.TimedOut => GatewayErrorKind.ConnectionTimeout,
            _ => GatewayErrorKind.ConnectionRefused,
        };

    /// <summary>
    /// EADDRNOTAVAIL has two meanings: no local address leads there, or every port of the one that does is taken. A datagram socket, whose
    /// ports are others, tells them apart; it sends nothing.
    /// </summary>
    private static bool HasWayTo(IPAddress address)
    {
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect(address, 9);
            return true;
        }
        catch (SocketException e)
        {
            return IsExhaustion(e.SocketErrorCode);
        }
    }
}
