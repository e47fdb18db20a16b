using System.Net;
using System.Net.Sockets;
using Lintel.Errors;

namespace Lintel.Services.Connections;

/// <summary>
/// Maps system errors of a failed connection to an instance to the party at fault: the instance, the network, or this machine.
/// </summary>
internal static class ConnectErrors
{
    /// <summary>Whether this process or machine has no resources left for a connection.</summary>
    public static bool IsExhaustion(SocketError error) => error is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable;

    /// <summary>The kind of an error.</summary>
    /// <param name="error">The system's error.</param>
    /// <param name="address">The address of the connection; <see langword="null"/> for a Unix socket.</param>
    public static GatewayErrorKind KindOf(SocketError error, IPAddress? address) =>
        error switch
        {
            _ when IsExhaustion(error) => GatewayErrorKind.OutOfSockets,
            SocketError.AddressNotAvailable => address is not null && HasRouteTo(address)
                ? GatewayErrorKind.OutOfSockets
                : GatewayErrorKind.Unroutable,
            SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown =>
                GatewayErrorKind.Unroutable,
            SocketError.TimedOut => GatewayErrorKind.ConnectionTimeout,
            _ => GatewayErrorKind.ConnectionRefused,
        };

    /// <summary>
    /// Whether there is a route to the address. EADDRNOTAVAIL has two meanings: no local address has a route to it, or all ports of the one
    /// that does are in use. A datagram socket, which has other ports, distinguishes them; it sends nothing.
    /// </summary>
    private static bool HasRouteTo(IPAddress address)
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
