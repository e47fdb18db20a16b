using Lintel.Config;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Forwarding;

public sealed class UpstreamRequestTests
{
    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: '/{**p}', forward: s } }\n"
    );

    [Fact]
    public void Request_AfterAnother_HoldsNothingOfIt()
    {
        var first = Create(
            "POST",
            "/first?key=1",
            "one.test",
            ("Cookie", "a=1"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ("tracestate", "a=1")
        );
        Assert.Contains(first.Headers, h => h.Key == "Cookie");
        Assert.Contains(first.Headers, h => h.Key == "tracestate");
        first.Release();
        var second = Create("GET", "/second", "two.test", ("Accept", "x"));
        Assert.Same(first, second);
        Assert.Equal(("GET", "/second", "two.test"), (second.Method, second.PathAndQuery, second.Host));
        Assert.Equal(
            ["Accept", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"],
            second.Headers.Select(h => h.Key).Order(StringComparer.Ordinal)
        );
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

    [Theory]
    [InlineData(null, "X-A")]
    [InlineData(UnderscoreFields.Drop, "X-A")]
    [InlineData(UnderscoreFields.Allow, "X-A,X_Custom")]
    public void Request_WithUnderscoresInNames_PassesThemWhereAllowed(object? underscores, string expected)
    {
        var listener = underscores is UnderscoreFields fields
            ? new ListenerIdentity("l", ListenerConfig.Default with { Limits = new ListenerLimitsConfig { Underscores = fields } })
            : null;
        var context = TestRequest.Create(
            "GET",
            "/",
            "one.test",
            ("X-A", "1"),
            ("X_Custom", "1"),
            ("X_User", "1"),
            ("X-Admin", "1"),
            ("X_Forwarded_For", "6.6.6.6"),
            ("Proxy", "evil")
        );
        var request = Create(Begin(Snapshot, context, listener), new HeaderChanges(["X-User", "X_Admin"], [], foldsUnderscores: true));
        Assert.Equal(
            expected,
            string.Join(
                ',',
                request
                    .Headers.Select(h => h.Key)
                    .Where(n => !n.StartsWith("X-Forwarded-", StringComparison.Ordinal) && n != "Via")
                    .Order(StringComparer.Ordinal)
            )
        );
    }

    [Theory]
    [InlineData("[10.0.0.0/8]", "X-Forwarded-For: 6.6.6.6, 10.0.0.1", "X-Forwarded-Host: one.test", "X-Forwarded-Proto: https")]
    [InlineData(
        "{ from: [10.0.0.0/8], fields: [x-forwarded-host, x-forwarded-prefix, forwarded] }",
        "Forwarded: for=a;host=b, for=10.0.0.1;proto=http",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Prefix: /p",
        "X-Forwarded-Proto: http"
    )]
    [InlineData(
        "{ from: [10.0.0.0/8], fields: [x-real-ip] }",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Host: one.test",
        "X-Forwarded-Proto: http",
        "X-Real-IP: 9.9.9.9"
    )]
    [InlineData("[10.1.0.0/16]", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Host: one.test", "X-Forwarded-Proto: http")]
    public void Request_ThroughATrustedProxy_KeepsTheFieldsThatItOverwrites(string trusted, params string[] expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        var snapshot = GatewayReader.Snapshot($"trustedProxies: {trusted}\nroutes: {{ r: {{ match: '/{{**p}}', respond: {{}} }} }}\n");
        var context = TestRequest.Create(
            "GET",
            "/",
            "one.test",
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.test"),
            ("X-Forwarded-Prefix", "/p"),
            ("Forwarded", "for=a;host=b"),
            ("X-Real-IP", "9.9.9.9")
        );
        context.Connection.RemoteIpAddress = System.Net.IPAddress.Parse("10.0.0.1");
        Assert.Equal(
            expected,
            Create(Begin(snapshot, context), new HeaderChanges([], []))
                .Headers.Where(h => h.Key != "Via")
                .Select(h => h.Key + ": " + h.Value)
                .Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Forwarded_ThatDoesNotParse_IsBegunAnew()
    {
        var snapshot = GatewayReader.Snapshot(
            "trustedProxies: { from: [192.0.2.1], fields: [forwarded] }\nroutes: { r: { match: '/{**p}', respond: {} } }\n"
        );
        var request = Create(
            Begin(snapshot, TestRequest.Create("GET", "/", headers: ("Forwarded", "for=\"swallows"))),
            new HeaderChanges([], [])
        );
        Assert.Equal("for=192.0.2.1;proto=http", request.Headers.Find(h => h.Key == "Forwarded").Value);
    }

    [Fact]
    public void Request_ForAHostOfALabels_SendsItToTheLetter()
    {
        var request = Create("GET", "/", "xn--bcher-kva.example");
        Assert.Equal("xn--bcher-kva.example", request.Host);
        Assert.Equal("xn--bcher-kva.example", request.Headers.Find(h => h.Key == "X-Forwarded-Host").Value);
    }

    /// <summary>Our own listeners bring bytes, other hosts' characters; a service gets the same bytes.</summary>
    [Theory]
    [InlineData(true, "\u00c3\u00a9")]
    [InlineData(false, "é")]
    public void Request_WithBytesAboveAscii_SendsUtf8(bool isOurs, string value)
    {
        var snapshot = GatewayReader.Snapshot(
            """
            routes:
              é: { match: { path: "/{**p}", headers: { X-A: é }, cookies: { c: é } }, respond: {} }
            """.Replace("é:", "e:", StringComparison.Ordinal)
        );
        var context = TestRequest.Create("GET", "/", "one.test", ("X-A", value), ("Cookie", "c=" + value));
        var exchange = Begin(snapshot, context, isOurs ? new ListenerIdentity("l", ListenerConfig.Default) : null);
        var template = Template.Parse("é{header:X-A}{cookie:c}", new RouteParameters([], []), out _, out _)!;
        Assert.Equal("\u00c3\u00a9\u00c3\u00a9\u00c3\u00a9", template.RenderForHeader(exchange));
        Assert.Equal("%C3%A9%C3%A9%C3%A9", template.RenderForQuery(exchange, "q"));
        Assert.Equal("\u00c3\u00a9", Create(exchange, new HeaderChanges([], [])).Headers.Find(h => h.Key == "X-A").Value);
    }

    private static Exchange Begin(Snapshot snapshot, Microsoft.AspNetCore.Http.HttpContext context, ListenerIdentity? listener = null)
    {
        var exchange = new Exchange();
        exchange.Begin(context.AsClient(), snapshot, 0, new RequestOrigin(listener, null));
        Assert.True(RequestTarget.TryParse("/", out var target, out _));
        exchange.RequestTarget = target;
        var lookup = default(RouteLookup<Route>);
        Assert.Null(RouteMatch.Find(exchange, "GET", ref lookup));
        return exchange;
    }

    private static UpstreamRequest Create(Exchange exchange, HeaderChanges changes)
    {
        var request = UpstreamRequest.Create(exchange, path: null, new QueryChanges([], []), changes, out var error);
        Assert.Null(error);
        return request!;
    }

    private static UpstreamRequest Create(string method, string target, string host, params (string Name, string Value)[] headers)
    {
        var exchange = TestRequest.Matched(Snapshot, TestRequest.Create(method, target, host, headers));
        var request = UpstreamRequest.Create(exchange, path: null, new QueryChanges([], []), new HeaderChanges([], []), out var error);
        Assert.Null(error);
        return request!;
    }
}
