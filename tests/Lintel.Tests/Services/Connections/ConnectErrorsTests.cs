using System.Net;
using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Services.Connections;

namespace Lintel.Tests.Services.Connections;

public sealed class ConnectErrorsTests
{
    [Theory]
    [InlineData(SocketError.TooManyOpenSockets, nameof(GatewayErrorKind.OutOfSockets))]
    [InlineData(SocketError.NoBufferSpaceAvailable, nameof(GatewayErrorKind.OutOfSockets))]
    // 127.0.0.1 is always reachable: only its ports can have run out
    [InlineData(SocketError.AddressNotAvailable, nameof(GatewayErrorKind.OutOfSockets))]
    [InlineData(SocketError.ConnectionRefused, nameof(GatewayErrorKind.ConnectionRefused))]
    [InlineData(SocketError.ConnectionReset, nameof(GatewayErrorKind.ConnectionRefused))]
    [InlineData(SocketError.HostUnreachable, nameof(GatewayErrorKind.Unroutable))]
    [InlineData(SocketError.TimedOut, nameof(GatewayErrorKind.ConnectionTimeout))]
    public void Error_OfConnecting_SaysWhoIsAtFault(SocketError error, string kind) =>
        Assert.Equal(kind, ConnectErrors.KindOf(error, IPAddress.Loopback).ToString());

    /// <summary>
    /// RFC 5737, RFC 3849: addresses of documentation. A machine without IPv6, or without a way there, says EADDRNOTAVAIL though its ports
    /// are free.
    /// </summary>
    [Fact]
    public void AddressNotAvailable_OfAFamilyThatIsNotThere_IsNoExhaustion()
    {
        using var probe = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        var address = IPAddress.Parse("2001:db8::1");
        var hasWay = true;
        try
        {
            probe.Connect(address, 9);
        }
        catch (SocketException)
        {
            hasWay = false;
        }

        Assert.Equal(
            hasWay ? GatewayErrorKind.OutOfSockets : GatewayErrorKind.Unroutable,
            ConnectErrors.KindOf(SocketError.AddressNotAvailable, address)
        );
    }

    [Theory]
    [InlineData(nameof(GatewayErrorKind.OutOfSockets))]
    [InlineData(nameof(GatewayErrorKind.Overloaded))]
    public void Exhaustion_OfTheGateway_IsNotTheServicesAndNotTriedAgain(string kind)
    {
        var rule = ErrorTable.Get(Enum.Parse<GatewayErrorKind>(kind));
        Assert.Equal((503, ErrorSource.Gateway, RetryScope.None), (rule.Status, rule.Source, rule.Retry));
    }
}
