using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class TrustedProxiesTests
{
    [Theory]
    // nothing is trusted: the header is set by the client
    [InlineData("", "192.0.2.1", "10.9.9.9", "192.0.2.1")]
    // the peer is no proxy of ours
    [InlineData("10.0.0.0/8", "192.0.2.1", "10.9.9.9", "192.0.2.1")]
    [InlineData("10.0.0.0/8", "10.0.0.1", null, "10.0.0.1")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "192.0.2.7", "192.0.2.7")]
    // everything left of the first untrusted address is its own claim
    [InlineData("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 192.0.2.7", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "10.1.1.1, 192.0.2.7, 10.0.0.2", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "192.0.2.7, garbage, 10.0.0.2", "10.0.0.2")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "unknown", "10.0.0.1")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "192.0.2.7:50000", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "10.0.0.1", " , 192.0.2.7 ,", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "10.0.0.1", "192.0.2.7, ::ffff:10.0.0.2", "192.0.2.7")]
    [InlineData("10.0.0.0/8", "::ffff:192.0.2.1", "192.0.2.7", "192.0.2.1")]
    [InlineData("fd00::/8", "fd00::1", "2001:db8::7", "2001:db8::7")]
    [InlineData("fd00::/8", "fd00::1", "[2001:db8::7]:443", "2001:db8::7")]
    [InlineData("fd00::/8", "fd00::1", "2001:db8::7, [fd00::2]", "2001:db8::7")]
    [InlineData("10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2")]
    [InlineData("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.2")]
    [InlineData("0.0.0.0/0", "192.0.2.1", "a.b.c.d, 5.5.5.5", "5.5.5.5")]
    public void ClientAddress_BehindProxies_IsTheNearestStranger(string trusted, string peer, string? forwardedFor, string expected)
    {
        var proxies = new TrustedProxies(trusted.Split(',', StringSplitOptions.RemoveEmptyEntries));
        var request = TestRequest.Create("GET", "/").Request;
        if (forwardedFor is not null)
            request.Headers["X-Forwarded-For"] = forwardedFor;
        Assert.Equal(expected, proxies.ClientAddress(request.Headers, IPAddress.Parse(peer))?.ToString());
    }

    [Fact]
    public void ClientAddress_OverSeveralHeaderLines_ReadsThemAsOne()
    {
        var request = TestRequest.Create("GET", "/").Request;
        request.Headers["X-Forwarded-For"] = new[] { "6.6.6.6", "192.0.2.7", "10.0.0.2" };
        Assert.Equal(
            "192.0.2.7",
            new TrustedProxies(["10.0.0.0/8"]).ClientAddress(request.Headers, IPAddress.Parse("10.0.0.1"))?.ToString()
        );
    }

    [Fact]
    public void ClientAddress_OfAnEndlessChain_StopsAfter32Hops()
    {
        var request = TestRequest.Create("GET", "/").Request;
        request.Headers["X-Forwarded-For"] = string.Join(", ", Enumerable.Range(0, 100).Select(i => $"10.0.1.{i}"));
        Assert.Equal(
            "10.0.1.68",
            new TrustedProxies(["10.0.0.0/8"]).ClientAddress(request.Headers, IPAddress.Parse("10.0.0.1"))?.ToString()
        );
    }

    [Theory]
    [InlineData("for=192.0.2.7", "192.0.2.7")]
    [InlineData("for=6.6.6.6, for=192.0.2.7;proto=https, for=10.0.0.2", "192.0.2.7")]
    [InlineData("for=\"[2001:db8::7]:443\"", "2001:db8::7")]
    [InlineData("for=_hidden, for=10.0.0.2", "10.0.0.2")]
    [InlineData("for=192.0.2.7, for=\"open", "10.0.0.1")]
    [InlineData("proto=http", "10.0.0.1")]
    public void ClientAddress_ByForwarded_IsTheNearestStranger(string forwarded, string expected)
    {
        var proxies = new TrustedProxies(new TrustedProxiesConfig { From = ["10.0.0.0/8"], Fields = ["forwarded"] });
        var request = TestRequest.Create("GET", "/", headers: ("Forwarded", forwarded)).Request;
        request.Headers["X-Forwarded-For"] = "5.5.5.5";
        Assert.Equal(expected, proxies.ClientAddress(request.Headers, IPAddress.Parse("10.0.0.1"))?.ToString());
    }

    [Fact]
    public void ClientAddress_BehindAUnixSocket_IsToldByItsPeer()
    {
        var request = TestRequest.Create("GET", "/", headers: ("X-Forwarded-For", "6.6.6.6, 192.0.2.7")).Request;
        Assert.Equal("192.0.2.7", new TrustedProxies(["unix:"]).ClientAddress(request.Headers, null)?.ToString());
        Assert.Null(new TrustedProxies(["10.0.0.0/8"]).ClientAddress(request.Headers, null));
    }

    [Fact]
    public void Peer_OfALinkLocalAddress_HasNoZone() => Assert.Equal("fe80::1", new Peer(IPAddress.Parse("fe80::1%3")).Text);

    [Fact]
    public void Trusts_WithoutAnAddress_IsFalse() => Assert.False(new TrustedProxies(["0.0.0.0/0", "::/0"]).Trusts(null));
}
