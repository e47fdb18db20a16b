using CsCheck;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Tests.Pipeline;

public sealed class RouteMatchTests
{
    private const string Denied = """
        services: { s: http://127.0.0.1:1 }
        routes:
          deny: { match: "/admin/{**r}", respond: { status: 403 } }
          cafe: { match: "/café/{**r}", respond: { status: 403 } }
          files: { match: { path: "/files/{name}", allow: [encodedSlashes, semicolons] }, forward: s }
          post: { match: "POST /only/{a}/{b}", forward: s }
          single: { match: { path: "/only/{a}", allow: [encodedSlashes] }, forward: s }
          rest: { match: { path: "/{**rest}", allow: [encodedSlashes, semicolons, rawBytes, emptySegments] }, forward: s }
        """;

    [Theory]
    [InlineData("/admin/x", "deny")]
    [InlineData("/admin;x/y", "400")]
    [InlineData("/admin%3bx/y", "400")]
    [InlineData("/admin%2Fx", "400")]
    [InlineData("/admin%2fx", "400")]
    [InlineData("/admin%5Cx", "400")]
    [InlineData("/ADMIN%2fx", "400")]
    [InlineData("/;v=1/admin/x", "400")]
    [InlineData("/x;a%2F..%2fadmin", "400")]
    [InlineData("//admin/x", "deny")]
    [InlineData("/x//../admin/y", "deny")]
    [InlineData("/caf%E9/x", "400")]
    [InlineData("/CAF%C9/x", "400")]
    [InlineData("/files/a%2Fb", "files")]
    [InlineData("/files/a;v=1", "files")]
    [InlineData("/files/a%2Fb;v=1", "files")]
    [InlineData("/other%2Fx;y", "rest")]
    [InlineData("/%E4", "rest")]
    [InlineData("/only/a%2Fb", "single")]
    [InlineData("/admin/%C3%A9", "deny")]
    [InlineData("/caf%C3%A9/x", "cafe")]
    [InlineData("/CAF%C3%89/x", "cafe")]
    public void Path_ThatServicesReadInTwoWays_PassesNoStricterRoute(string path, string expected) =>
        Assert.Equal(expected, Find(Denied, path).Outcome);

    [Fact]
    public void Path_WhoseOtherReadingTakesNoSuchMethod_IsRefused() =>
        Assert.Equal(
            "400",
            Find(
                "services: { s: http://127.0.0.1:1 }\nroutes: { a: { match: { path: '/x/{a}', allow: [encodedSlashes] }, forward: s "
                    + "}, b: { match: 'POST /x/{a}/{b}', forward: s } }",
                "/x/a%2Fb"
            ).Outcome
        );

    [Theory]
    [InlineData("/a//b", "/a//b")]
    [InlineData("//a", "//a")]
    [InlineData("/a/", "/a/")]
    [InlineData("/x//../admin/y", "/admin/y")]
    public void EmptySegments_WhereTheRouteAllowsThem_AreKept(string path, string expected) =>
        Assert.Equal(
            expected,
            Find(
                "services: { s: http://127.0.0.1:1 }\nroutes: { rest: { match: { path: '/{**rest}', allow: [emptySegments] }, "
                    + "forward: s }, x: { match: '/x/{**r}', forward: s } }",
                path
            ).Path
        );

    [Fact]
    public void EmptySegments_WhereTheRouteDoesNot_AreMerged() =>
        Assert.Equal(
            "/a/b",
            Find("services: { s: http://127.0.0.1:1 }\nroutes: { rest: { match: '/{**rest}', forward: s } }", "/a//b").Path
        );

    [Fact]
    public void RawBytes_WithoutARoute_AreABadTarget() =>
        Assert.Equal("400", Find("services: { s: http://127.0.0.1:1 }\nroutes: { a: { match: /a, forward: s } }", "/%FF").Outcome);

    /// <summary>However carelessly a service interprets a path, the result is no path that a route without allowances guards.</summary>
    [Fact]
    public void Reading_OfARandomPath_NeverLeadsToARouteThatDoesNotAllowIt()
    {
        string[] literals = ["admin", "a", "b", "{x}", "{**r}"];
        string[] pieces = ["admin", "a", "b", "/", "/", "%2F", "%2f", "%5C", ";", "%3B", ";x", "//", "%E4"];
        var (found, refused) = (0, 0);
        var tables = Gen.Select(Gen.Int[0, 3].Array[1, 2], Gen.Bool, (segments, allows) =>
            (
                Path: "/"
                    + string.Join('/', segments.Select((s, i) => literals[s].Replace("{x}", "{x" + i + "}", StringComparison.Ordinal)))
                    + "/{**r}",
                Allows: allows
            )
        ).Array[1, 4];
        var paths = Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]).Array[1, 7].Select(p => "/" + string.Concat(p));
        Gen.Select(tables, paths.Array[20])
            .Sample(
                (routes, targets) =>
                {
                    var written = string.Concat(
                        routes
                            .DistinctBy(
                                r =>
                                    r.Path.Replace("{x0}", "{x}", StringComparison.Ordinal)
                                        .Replace("{x1}", "{x}", StringComparison.Ordinal),
                                StringComparer.OrdinalIgnoreCase
                            )
                            .Select(
                                (r, i) =>
                                    $"  r{i}: {{ match: {{ path: "
                                    + $"'{r.Path}'{(r.Allows ? ", allow: [encodedSlashes, semicolons, rawBytes, emptySegments]" : "")} }}, respond: {{}} }}\n"
                            )
                    );
                    var snapshot = GatewayReader.Snapshot(
                        "routes:\n"
                            + written
                            + "  all: { match: { path: '/{**all}', allow: [encodedSlashes, semicolons, rawBytes, emptySegments] }, "
                            + "respond: {} }\n"
                    );
                    foreach (var path in targets)
                    {
                        var exchange = Begin(snapshot, path);
                        if (exchange is null)
                            continue;
                        var lookup = default(RouteLookup<Route>);
                        if (RouteMatch.Find(exchange, "GET", ref lookup) is not null)
                        {
                            Interlocked.Increment(ref refused);
                            continue;
                        }

                        Interlocked.Increment(ref found);
                        foreach (var careless in Careless(exchange.RequestTarget.Path))
                        {
                            Assert.True(RequestTarget.TryParse(careless, out var target, out var problem), problem);
                            var other = default(RouteLookup<Route>);
                            snapshot.Routes.Find(exchange.Request, target.Path, ref other);
                            Assert.True(
                                other.Candidate!.Route == exchange.Route || other.Candidate.Route.Allowed != PathTraits.None,
                                $"{path} goes to {exchange.Route!.Name}, and is read as {careless}, which is {other.Candidate.Name}'s"
                            );
                        }
                    }
                },
                iter: 500
            );
        Assert.True(found > 1_000 && refused > 500, $"{found} found, {refused} refused");
    }

    /// <summary>The known behavior of services, implemented independently.</summary>
    private static IEnumerable<string> Careless(string path)
    {
        var decoded = path.Replace("%2F", "/", StringComparison.Ordinal).Replace("%5C", "/", StringComparison.Ordinal);
        foreach (var one in (string[])[path, decoded])
        {
            if (one != path)
                yield return one;
            var cut = System.Text.RegularExpressions.Regex.Replace(one, "(;|%3B)[^/]*", "");
            if (cut != one)
                yield return cut.Length == 0 ? "/" : cut;
        }
    }

    [Fact]
    public void Query_OfTooManyParameters_IsRefused()
    {
        const string Yaml = "routes: { a: { match: { path: /a, query: { a: { present: true } } }, respond: {} } }";
        Assert.Equal("a", Find(Yaml, "/a?a" + string.Concat(Enumerable.Repeat("&b", 999))).Outcome);
        Assert.Equal("400", Find(Yaml, "/a?a" + string.Concat(Enumerable.Repeat("&b", 1000))).Outcome);
        Assert.Equal("400", Find(Yaml, "/a?a" + string.Concat(Enumerable.Repeat("&", 1000))).Outcome);
        Assert.Equal(
            "400",
            Find(
                Yaml,
                "/a?a&b&c",
                new ListenerIdentity("l", ListenerConfig.Default with { Limits = new ListenerLimitsConfig { QueryParameters = 2 } })
            ).Outcome
        );
    }

    private const string ByListener = """
        listeners: { public: "http://127.0.0.1:0", inner: "http://127.0.0.1:0" }
        routes:
          a: { match: { path: /a, listeners: [inner] }, respond: {} }
          b: { match: /a, respond: {} }
          c: { match: { path: /c, listeners: inner, scheme: https }, respond: {} }
          d: { match: { path: /c, listeners: inner }, respond: {} }
          e: { match: { path: /e, scheme: http }, redirect: { scheme: https } }
        """;

    [Theory]
    [InlineData("inner", "/a", "a")]
    [InlineData("public", "/a", "b")]
    [InlineData(null, "/a", "b")]
    [InlineData("inner", "/c", "d")]
    [InlineData("public", "/c", "404")]
    [InlineData(null, "/c", "404")]
    [InlineData("public", "/e", "e")]
    public void Route_OfAListener_TakesItsRequestsOnly(string? listener, string path, string expected) =>
        Assert.Equal(
            expected,
            Find(ByListener, path, listener is null ? null : new ListenerIdentity(listener, ListenerConfig.Default)).Outcome
        );

    [Theory]
    [InlineData("trustedProxies: [192.0.2.0/24]", "https", "404")]
    [InlineData("trustedProxies: [192.0.2.0/24]", "http, https", "404")]
    [InlineData("trustedProxies: [192.0.2.0/24]", "http", "e")]
    [InlineData("trustedProxies: { from: [192.0.2.0/24], fields: [x-forwarded-for] }", "https", "e")]
    [InlineData("", "https", "e")]
    public void Scheme_BehindAProxy_IsWhatATrustedOneSays(string trust, string said, string expected)
    {
        var snapshot = GatewayReader.Snapshot(
            trust + "\nroutes: { e: { match: { path: /e, scheme: http }, redirect: { scheme: https } } }"
        );
        var exchange = Begin(snapshot, "/e", ("X-Forwarded-Proto", said))!;
        var lookup = default(RouteLookup<Route>);
        var error = RouteMatch.Find(exchange, "GET", ref lookup);
        Assert.Equal(
            expected,
            error is null ? exchange.Route!.Name : error.Rule.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)
        );
    }

    [Theory]
    [InlineData("hosts: [xn--bcher-kva.example]")]
    [InlineData("hosts: [bücher.example]")]
    [InlineData("hosts: [BÜCHER.example]")]
    [InlineData("hosts: ['*.example']")]
    public void Host_OfALabels_IsMatchedToTheLetter(string hosts)
    {
        var snapshot = GatewayReader.Snapshot($"routes: {{ a: {{ match: {{ path: /a, {hosts} }}, respond: {{}} }} }}");
        var context = TestRequest.Create("GET", "/a", "xn--bcher-kva.example:8080");
        var exchange = TestRequest.Matched(snapshot, context);
        Assert.Equal("a", exchange.Route!.Name);
        Assert.Equal("xn--bcher-kva.example:8080", exchange.Host);
    }

    private static (string Outcome, string Path) Find(string yaml, string target, ListenerIdentity? listener = null)
    {
        var exchange = Begin(GatewayReader.Snapshot(yaml), target, listener: listener);
        if (exchange is null)
            return ("400", "");
        var lookup = default(RouteLookup<Route>);
        var error = RouteMatch.Find(exchange, "GET", ref lookup);
        Assert.True(error?.Kind is null or GatewayErrorKind.BadTarget or GatewayErrorKind.RouteNotFound, error?.Detail);
        return (
            error is null ? exchange.Route!.Name : error.Rule.Status.ToString(System.Globalization.CultureInfo.InvariantCulture),
            exchange.RequestTarget.Path
        );
    }

    private static Exchange? Begin(
        Snapshot snapshot,
        string target,
        (string Name, string Value)? header = null,
        ListenerIdentity? listener = null
    )
    {
        if (!RequestTarget.TryParse(target, out var parsed, out _))
            return null;
        DefaultHttpContext context = TestRequest.Create("GET", target, "gateway.test", header is { } field ? [field] : []);
        Assert.NotNull(context.Features.Get<IHttpRequestFeature>());
        var exchange = new Exchange();
        exchange.Begin(context.AsClient(), snapshot, 0, new RequestOrigin(listener, null));
        exchange.RequestTarget = parsed;
        return exchange;
    }
}
