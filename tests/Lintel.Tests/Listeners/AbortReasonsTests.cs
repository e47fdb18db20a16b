using System.Resources;
using Lintel.Errors;
using Lintel.Listeners;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.Tests.Listeners;

public sealed class AbortReasonsTests
{
    private static readonly ResourceManager Words = new(
        "Microsoft.AspNetCore.Server.Kestrel.Core.CoreStrings",
        typeof(KestrelServer).Assembly
    );

    [Theory]
    [InlineData("ConnectionTimedBecauseResponseMininumDataRateNotSatisfied", nameof(GatewayErrorKind.SlowReader))]
    [InlineData("BadRequest_RequestBodyTimeout", nameof(GatewayErrorKind.RequestTimeout))]
    [InlineData("Http2ErrorKeepAliveTimeout", nameof(GatewayErrorKind.ClientAborted))]
    [InlineData("ConnectionTimedOutByServer", nameof(GatewayErrorKind.ClientAborted))]
    public void Of_KestrelsWords_IsTheirKindWithADetail(string resource, string kind)
    {
        var reason = AbortReasons.Of(new ConnectionAbortedException(Words.GetString(resource)!));
        Assert.Equal(kind, reason!.Kind.ToString());
        Assert.False(string.IsNullOrEmpty(reason.Detail));
    }

    [Fact]
    public void Of_AClientThatClosed_IsNoReason()
    {
        Assert.Null(AbortReasons.Of(new ConnectionAbortedException(Words.GetString("ConnectionAbortedByClient")!)));
        Assert.Null(AbortReasons.Of(new ConnectionAbortedException()));
        Assert.Null(AbortReasons.Of(null));
    }

    [Fact]
    public void Of_UnreadOutputWithoutMemory_IsASlowReaderAndNamesTheLimit()
    {
        var reason = AbortReasons.Of(new UnreadOutputException());
        Assert.Equal(GatewayErrorKind.SlowReader, reason!.Kind);
        Assert.Contains("limits.memory", reason.Detail, StringComparison.Ordinal);
    }
}
