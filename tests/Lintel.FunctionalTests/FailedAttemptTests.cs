using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests;

/// <summary>A dead instance beside a healthy one: the requests succeed, and the error log still reports the instance.</summary>
[EveryTransport]
public sealed class FailedAttemptTests
{
    [Theory]
    [InlineData("http1", "forward: s")]
    [InlineData("http2", "forward: s")]
    [InlineData("http1", "compose: { calls: { a: s/x } }")]
    public async Task Attempts_OfADeadInstance_AreToldOfOnceAndNameIt(string protocol, string action)
    {
        await using var service = await TestService.StartAsync(
            c =>
            {
                c.Response.ContentType = "application/json";
                return c.Response.WriteAsync("{}");
            },
            listen => listen.Protocols = protocol == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1
        );
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["http://127.0.0.1:1", "{{service.Address}}"], balancing: roundRobin, protocol: {{protocol}} } }
            routes: { r: { match: "/{**rest}", {{action}} } }
            """
        );
        for (var i = 0; i < 6; i++)
        {
            using var response = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative));
            Assert.Equal(System.Net.HttpStatusCode.OK, response.StatusCode);
        }

        var line = Assert.Single(gateway.Log, l => l.Contains("connection-refused", StringComparison.Ordinal));
        Assert.Contains("route r, service s, instance http://127.0.0.1:1", line, StringComparison.Ordinal);
        Assert.Contains("another instance is tried", line, StringComparison.Ordinal);
        Assert.InRange(Assert.Single(gateway.Gateway.Errors).Count, 3, 6);
    }
}
