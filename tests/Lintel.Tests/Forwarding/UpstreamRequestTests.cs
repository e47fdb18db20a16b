using Lintel.Forwarding;
using Lintel.Pipeline;

namespace Lintel.Tests.Forwarding;

public sealed class UpstreamRequestTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot("services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: '/{**p}', forward: s } }\n");

    [Fact]
    public void Request_AfterAnother_HoldsNothingOfIt()
    {
        var first = Create("POST", "/first?key=1", "one.test", ("Cookie", "a=1"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "a=1"));
        Assert.Contains(first.Headers, h => h.Key == "Cookie");
        Assert.Contains(first.Headers, h => h.Key == "tracestate");
        first.Release();
        var second = Create("GET", "/second", "two.test", ("Accept", "x"));
        Assert.Same(first, second);
        Assert.Equal(("GET", "/second", "two.test"), (second.Method, second.PathAndQuery, second.Host));
        Assert.Equal(["Accept", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"], second.Headers.Select(h => h.Key).Order(StringComparer.Ordinal));
        Assert.NotEqual("0af7651916cd43dd8448eb211c80319c", second.Trace.TraceId.ToHexString());
        Assert.Null(second.Grpc);
    }

    [Fact]
    public void Request_OfManyHeaders_IsNotKept()
    {
        var first = Create("GET", "/", "one.test", [.. Enumerable.Range(0, 100).Select(i => ($"X-{i}", "v"))]);
        first.Release();
        Assert.NotSame(first, Create("GET", "/", "one.test"));
    }

    private static UpstreamRequest Create(string method, string target, string host, params (string Name, string Value)[] headers)
    {
        var exchange = TestRequest.Matched(Snapshot, TestRequest.Create(method, target, host, headers));
        var request = UpstreamRequest.Create(exchange, path: null, new QueryChanges([], []), new HeaderChanges([], []), out var error);
        Assert.Null(error);
        return request!;
    }
}
