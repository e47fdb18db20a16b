using System.Net;
using CsCheck;
using Lintel.Pipeline;
using Lintel.Policies.Access;

namespace Lintel.Tests.Policies.Access;

public sealed class AccessPolicyTests
{
    [Theory]
    [InlineData("10.1.2.3", true)] // in the wide range that is admitted
    [InlineData("10.9.2.3", false)] // in the narrower one that is not
    [InlineData("10.9.9.9", true)] // and the one address of it that is
    [InlineData("192.0.2.1", false)] // in none: ranges are admitted by name
    [InlineData("::ffff:10.1.2.3", true)]
    [InlineData("fd00::1", true)]
    [InlineData("fd00:0:0:1::1", false)]
    [InlineData("fe80::1%3", false)]
    public void NarrowestRange_OfThoseThatHoldTheAddress_Decides(string address, bool admitted) =>
        Assert.Equal(
            admitted,
            Policy(["10.0.0.0/8", "10.9.9.9", "fd00::/48"], ["10.9.0.0/16", "fd00:0:0:1::/64"]).Admits(IPAddress.Parse(address))
        );

    [Fact]
    public void Ranges_ThatAreEqual_Deny() => Assert.False(Policy(["10.0.0.0/8"], ["10.0.0.0/8"]).Admits(IPAddress.Parse("10.0.0.1")));

    [Fact]
    public void Addresses_WhereNobodyIsAdmittedByName_AreAdmittedUnlessDenied()
    {
        var policy = Policy([], ["10.0.0.0/8", "::ffff:192.0.2.0/120"]);
        Assert.True(policy.Admits(IPAddress.Parse("198.51.100.1")));
        Assert.True(policy.Admits(IPAddress.Parse("2001:db8::1")));
        Assert.False(policy.Admits(IPAddress.Parse("10.255.255.255")));
        Assert.False(policy.Admits(IPAddress.Parse("192.0.2.77")));
    }

    [Fact]
    public void RangeOfEverything_HoldsEverything()
    {
        var policy = Policy(["127.0.0.1"], ["0.0.0.0/0", "::/0"]);
        Assert.True(policy.Admits(IPAddress.Loopback));
        Assert.False(policy.Admits(IPAddress.Parse("127.0.0.2")));
        Assert.False(policy.Admits(IPAddress.IPv6Loopback));
    }

    [Theory]
    [InlineData("unix:", "", true)]
    [InlineData("", "10.0.0.0/8", false)] // nobody knows whether it is one of these
    [InlineData("0.0.0.0/0 ::/0", "", false)]
    [InlineData("unix:", "unix:", false)]
    public void Client_WithoutAnAddress_IsAdmittedByNameAlone(string allow, string deny, bool admitted) =>
        Assert.Equal(
            admitted,
            Policy(allow.Split(' ', StringSplitOptions.RemoveEmptyEntries), deny.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Admits(null)
        );

    /// <summary>
    /// Against a reader of the rule itself: all ranges that hold the address, the longest first, a denial before an admission.
    /// </summary>
    [Fact]
    public void Outcome_OfRandomRanges_IsThatOfTheRule()
    {
        var range = Gen.Select(Gen.UInt[0, 15], Gen.Int[28, 32], Gen.Bool, (low, length, admits) =>
            (Text: $"{new IPAddress([10, 0, 0, (byte)(low & (0xFFu << (32 - length)))])}/{length}", admits)
        );
        Gen.Select(range.List[0, 8], Gen.Int[0, 15])
            .Sample(
                (ranges, last) =>
                {
                    var address = new IPAddress([10, 0, 0, (byte)last]);
                    var holding = ranges
                        .Select(r => (Network: IPNetwork.Parse(r.Text), r.admits))
                        .Where(r => r.Network.Contains(address))
                        .ToList();
                    bool? expected =
                        holding.Count == 0
                            ? null
                            : holding.Where(h => h.Network.PrefixLength == holding.Max(o => o.Network.PrefixLength)).All(h => h.admits);
                    return new AddressRanges(
                            ranges.Where(r => r.admits).Select(r => r.Text),
                            ranges.Where(r => !r.admits).Select(r => r.Text)
                        ).Find(address) == expected;
                }
            );
    }

    [Theory]
    [InlineData("192.0.2.1", null, 403)]
    [InlineData("192.0.2.1", "10.1.1.1", 403)] // the field of a peer that nobody trusts
    [InlineData("172.16.0.1", "10.1.1.1", 200)]
    [InlineData("172.16.0.1", "10.1.1.1, 192.0.2.9", 403)]
    [InlineData("10.1.1.1", null, 200)]
    public async Task Client_BehindTrustedProxies_IsJudgedByItsOwnAddress(string peer, string? forwardedFor, int status)
    {
        using var spine = new Spine(
            """
            trustedProxies: ["172.16.0.0/12"]
            policies: { office: { access: { allow: 10.0.0.0/8 } } }
            routes: { r: { match: "/x", respond: { body: in }, policies: [office] } }
            """
        );
        var context = TestRequest.Create("GET", "/x");
        context.Connection.RemoteIpAddress = IPAddress.Parse(peer);
        if (forwardedFor is not null)
            context.Request.Headers["X-Forwarded-For"] = forwardedFor;
        Assert.Equal(status, (await spine.SendAsync(context)).StatusCode);
    }

    private static AccessPolicy Policy(string[] allow, string[] deny) => new(new AccessConfig { Allow = [.. allow], Deny = [.. deny] });
}
