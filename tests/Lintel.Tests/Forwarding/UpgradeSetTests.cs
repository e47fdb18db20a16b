using Lintel.Forwarding;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Tests.Forwarding;

public sealed class UpgradeSetTests
{
    [Theory]
    [InlineData("websocket", "websocket", "websocket")]
    [InlineData("websocket", "WebSocket", "websocket")]
    [InlineData("websocket", "foo, websocket", "websocket")]
    [InlineData("websocket", "foo , bar/2,\twebsocket", "websocket")]
    [InlineData("websocket", "foo|websocket", "websocket")] // two lines
    [InlineData("websocket", "tcp", null)]
    [InlineData("websocket", "h2c", null)]
    [InlineData("websocket", "websockets", null)]
    [InlineData("tcp", "websocket", null)]
    [InlineData("tcp", "TCP", "TCP")]
    [InlineData("tcp websocket", "websocket, tcp", "websocket")] // the client's order
    [InlineData("SPDY/3.1", "spdy/3.1", "spdy/3.1")]
    [InlineData("SPDY/3.1", "SPDY/3", null)]
    [InlineData("spdy", "SPDY/3.1", "SPDY/3.1")]
    [InlineData("SPDY/3.1", "SPDY", null)]
    [InlineData("", "websocket", null)]
    public void Protocol_OfARequest_IsTheFirstThatIsAllowed(string allowed, string asked, string? chosen)
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpUpgradeFeature>(new Upgradable());
        context.Request.Headers.Upgrade = asked.Split('|');
        var exchange = new Exchange();
        exchange.Begin(context.AsClient(), null!, 0);
        Assert.Equal(chosen, new UpgradeSet(allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Choose(exchange));
    }

    private sealed class Upgradable : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => throw new NotSupportedException();
    }
}
