using Lintel.Config;
using Lintel.Forwarding;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Forwarding;

public sealed class HeaderRulesTests
{
    [Theory]
    [InlineData("Connection", "Drop")]
    [InlineData("connection", "Drop")]
    [InlineData("Proxy-Connection", "Drop")]
    [InlineData("Keep-Alive", "Drop")]
    [InlineData("TE", "Drop")]
    [InlineData("Transfer-Encoding", "Drop")]
    [InlineData("Transfer_Encoding", "Drop")]
    [InlineData("Upgrade", "Drop")]
    [InlineData("Proxy-Authorization", "Drop")]
    [InlineData("HTTP2-Settings", "Drop")]
    [InlineData("Expect", "Drop")]
    [InlineData("Host", "Drop")]
    [InlineData("Via", "Drop")]
    [InlineData("traceparent", "Drop")]
    [InlineData("tracestate", "Drop")]
    [InlineData("baggage", "Limit")]
    [InlineData("X-Forwarded-For", "Drop")]
    [InlineData("x-forwarded-for", "Drop")]
    [InlineData("X_Forwarded_For", "Drop")]
    [InlineData("X-Forwarded_Proto", "Drop")]
    [InlineData("X-Forwarded-Prefix", "KeepIfTrusted")]
    [InlineData("X_Forwarded_Prefix", "Drop")]
    [InlineData("X-Real-IP", "KeepIfTrusted")]
    [InlineData("Forwarded", "Drop")]
    [InlineData("Client-Cert", "Drop")]
    [InlineData("client_cert_chain", "Drop")]
    [InlineData("Authorization", "Keep")]
    [InlineData("Cookie", "Keep")]
    [InlineData("Content-Length", "Keep")]
    [InlineData("Accept-Encoding", "Keep")]
    [InlineData("X_Custom", "Drop")]
    [InlineData("Proxy", "Drop")]
    [InlineData("proxy", "Drop")]
    [InlineData("X-Forwarder", "Keep")]
    public void RequestHeader_OnItsWayToAService_HasItsFate(string name, string fate) =>
        Assert.Equal(fate, HeaderRules.OfRequest(name, UnderscoreFields.Drop).ToString());

    [Theory]
    [InlineData("Connection", false)]
    [InlineData("KEEP-ALIVE", false)]
    [InlineData("Transfer-Encoding", false)]
    [InlineData("Upgrade", false)]
    [InlineData("Proxy-Authenticate", false)]
    [InlineData("Set-Cookie", true)]
    [InlineData("WWW-Authenticate", true)]
    [InlineData("Trailer", true)]
    [InlineData("Server", true)]
    [InlineData("Via", true)]
    public void ResponseHeader_OnItsWayToTheClient_PassesOrNot(string name, bool passes) =>
        Assert.Equal(passes, HeaderRules.KeepsResponse(name));

    [Theory]
    [InlineData("X-Sum", true)]
    [InlineData("grpc-status", true)]
    [InlineData("grpc-status-details-bin", true)]
    [InlineData("Content-Digest", true)]
    [InlineData("Server-Timing", true)]
    [InlineData("ETag", true)]
    [InlineData("Content-Length", false)]
    [InlineData("content_length", false)]
    [InlineData("Content-Type", false)]
    [InlineData("CONTENT_TYPE", false)]
    [InlineData("Content-Whatever", false)]
    [InlineData("Transfer-Encoding", false)]
    [InlineData("Host", false)]
    [InlineData("Authorization", false)]
    [InlineData("Proxy-Authorization", false)]
    [InlineData("Cookie", false)]
    [InlineData("Set-Cookie", false)]
    [InlineData("set_cookie", false)]
    [InlineData("Cache-Control", false)]
    [InlineData("Connection", false)]
    [InlineData("TE", false)]
    [InlineData("Expect", false)]
    [InlineData("Max-Forwards", false)]
    [InlineData("Range", false)]
    [InlineData("If-Match", false)]
    [InlineData("Forwarded", false)]
    [InlineData("X-Forwarded-For", false)]
    [InlineData("x_forwarded_prefix", false)]
    [InlineData("X-Real-IP", false)]
    [InlineData("Via", false)]
    [InlineData("traceparent", false)]
    [InlineData("Trailer", false)]
    [InlineData("WWW-Authenticate", false)]
    public void Trailer_InEitherDirection_PassesOrNot(string name, bool passes) => Assert.Equal(passes, HeaderRules.KeepsTrailer(name));

    [Theory]
    [InlineData("close", "")]
    [InlineData("keep-alive, Close", "")]
    [InlineData("X-A", "X-A")]
    [InlineData("close, X-A ,, x-b", "X-A,x-b")]
    [InlineData("X-A|X-B", "X-A,X-B")]
    public void Connection_WithNames_NominatesThem(string lines, string expected) =>
        Assert.Equal(
            expected,
            string.Join(
                ',',
                HeaderRules.Nominated(new StringValues(lines.Split('|')))?.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>()
            )
        );

    [Fact]
    public void Connection_WithOnlyItsOwnOptions_NominatesNothing()
    {
        Assert.Null(HeaderRules.Nominated("close"));
        Assert.Null(HeaderRules.Nominated(default));
        Assert.Contains("x-a", HeaderRules.Nominated("X-A")!);
    }
}
