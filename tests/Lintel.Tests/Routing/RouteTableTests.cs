using CsCheck;
using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class RouteTableTests
{
    [Theory]
    // hosts
    [InlineData("a.test * /x | *.test * /x | * /x", "GET a.test /x", "1")]
    [InlineData("*.b.test * /x | *.test * /x", "GET a.b.test /x", "1")]
    [InlineData("*.b.test * /x | *.test * /x", "GET b.test /x", "2")]
    [InlineData("*.test * /x | * /x", "GET test /x", "2")]
    [InlineData("a.test * /{**r} | * /x", "GET a.test /x", "1")]
    [InlineData("a.test * /y | * /x", "GET a.test /x", "2")]
    [InlineData("a.test * /x", "GET A.Test:8080 /x", "1")]
    [InlineData("a.test * /x", "GET a.test. /x", "1")]
    [InlineData("a.test * /x", "GET a.test.:80 /x", "1")]
    [InlineData("a.test * /x", "GET b.test /x", "404")]
    [InlineData("*.test * /x", "GET .test /x", "404")]
    [InlineData("[::1] * /x", "GET [::1]:8080 /x", "1")]
    [InlineData("[::1] * /x", "GET [::1] /x", "1")]
    // paths
    [InlineData("* /users/me | * /users/{id}", "GET h /users/me", "1")]
    [InlineData("* /users/{id:int} | * /users/{id}", "GET h /users/5", "1")]
    [InlineData("* /users/{id:int} | * /users/{id}", "GET h /users/x", "2")]
    [InlineData("* /users/u-{id} | * /users/{id:alpha}", "GET h /users/u-5", "1")]
    [InlineData("* /f/{n}.json | * /f/{n}", "GET h /f/a.json", "1")]
    [InlineData("* /f/x{n} | * /f/xyz{n}", "GET h /f/xyz1", "2")]
    [InlineData("* /{**r} | * /{a}", "GET h /x", "2")]
    [InlineData("* /{**r:int} | * /{**r}", "GET h /5", "1")]
    [InlineData("* /a/{**r} | * /{b}/c", "GET h /a/c", "1")]
    [InlineData("* /a/b/c | * /a/{x}/d", "GET h /a/b/d", "2")]
    [InlineData("* /a/b/c/d | * /{**r}", "GET h /a/b/c/e", "2")]
    [InlineData("* /Users/Me", "GET h /users/ME", "1")]
    [InlineData("* /users/", "GET h /users", "1")]
    [InlineData("* /users", "GET h /users/", "1")]
    [InlineData("* /", "GET h /", "1")]
    [InlineData("* /a", "GET h /", "404")]
    [InlineData("* /a", "GET h /a/b", "404")]
    [InlineData("* /{a}", "GET h /", "404")]
    [InlineData("* /m%C3%BCnchen", "GET h /m%C3%BCnchen", "1")]
    [InlineData("* /münchen", "GET h /m%C3%BCnchen", "1")]
    [InlineData("* /{id:length(1)}", "GET h /%C3%BC", "1")]
    // optional, default, catch-all
    [InlineData("* /a/{b?}", "GET h /a", "1")]
    [InlineData("* /a/{b?}", "GET h /a/x", "1")]
    [InlineData("* /a/{b?}", "GET h /a/x/y", "404")]
    [InlineData("* /a/{b=z}/{c=z}", "GET h /a/x", "1")]
    [InlineData("* /a/{**r}", "GET h /a", "1")]
    [InlineData("* /a/{**r}", "GET h /a/", "1")]
    [InlineData("* /a/{**r}", "GET h /a/b/c", "1")]
    [InlineData("* /a/{**r}", "GET h /ab", "404")]
    [InlineData("* /a/{**r:minlength(1)} | * /{**r}", "GET h /a", "2")]
    [InlineData("* /f/{n}.{e?}", "GET h /f/a", "1")]
    [InlineData("* /f/{n}.{e?}", "GET h /f/a.b", "1")]
    // methods
    [InlineData("GET /x | * /x", "GET h /x", "1")]
    [InlineData("GET /x | * /x", "PUT h /x", "2")]
    [InlineData("GET /x", "POST h /x", "405 GET,HEAD")]
    [InlineData("GET,POST /x | DELETE /x", "PUT h /x", "405 DELETE,GET,HEAD,POST")]
    [InlineData("POST /x | GET /{a}", "PUT h /x", "405 GET,HEAD,POST")]
    [InlineData("POST /x | * /{a}", "GET h /x", "2")]
    [InlineData("POST /x", "HEAD h /x", "405 POST")]
    [InlineData("GET /x", "HEAD h /x", "1")]
    [InlineData("GET /x | HEAD /x", "HEAD h /x", "2")]
    [InlineData("GET /x | HEAD /x", "GET h /x", "1")]
    [InlineData("GET /x | * /{**r}", "HEAD h /x", "1")]
    [InlineData("GET /x | * /x", "HEAD h /x", "1")]
    [InlineData("GET /x | HEAD /{a}", "HEAD h /x", "1")]
    [InlineData("GET /x", "get h /x", "1")]
    // conditions
    [InlineData("* /x h:A | * /x", "GET h /x A=1", "1")]
    [InlineData("* /x h:A | * /x", "GET h /x", "2")]
    [InlineData("* /x h:A | * /x h:A h:B", "GET h /x A=1 B=1", "2")]
    [InlineData("* /x h:A | * /x q:a q:b q:c", "GET h /x?a=1&b=1&c=1 A=1", "1")]
    [InlineData("* /x q:a | * /x c:a c:b c:d", "GET h /x?a=1 Cookie=a=1;b=1;d=1", "1")]
    [InlineData("* /x c:a | * /x", "GET h /x Cookie=a=1", "1")]
    [InlineData("GET /x | * /x h:A h:B", "GET h /x A=1 B=1", "1")]
    [InlineData("* /x h:A", "GET h /x", "404")]
    [InlineData("* /x h:A | * /{**r}", "GET h /x", "2")]
    [InlineData("a.test * /x h:A | *.test * /x", "GET a.test /x", "2")]
    [InlineData("GET /x h:A", "POST h /x", "404")]
    [InlineData("GET /x h:A", "POST h /x A=1", "405 GET,HEAD")]
    [InlineData("* /x h:A | POST /{a}", "GET h /x", "405 POST")]
    public void Route_OfARequest_FollowsPrecedence(string routes, string request, string expected) =>
        Assert.Equal(expected, Find(routes, request));

    [Theory]
    [InlineData("/a/{x}/{y}", "/a/1/2", "x=1 y=2")]
    [InlineData("/a/{x?}", "/a", "x=")]
    [InlineData("/a/{x=7}", "/a", "x=7")]
    [InlineData("/a/{x=7}", "/a/8", "x=8")]
    [InlineData("/a/{x=1}/{y=2}", "/a/9", "x=9 y=2")]
    [InlineData("/a/{**r}", "/a/b/c/", "r=b/c/")]
    [InlineData("/a/{**r}", "/a", "r=")]
    [InlineData("/a/{*r}", "/a/b/c", "r=b/c")]
    [InlineData("/f/{n}.{e}", "/f/a.b.c", "n=a.b e=c")]
    [InlineData("/f/{n}.{e?}", "/f/a", "n=a e=")]
    [InlineData("/f/v{n}-{m}x", "/f/V1-2-3X", "n=1-2 m=3")]
    [InlineData("/f/{a}-{b}-{c}", "/f/1-2-3-4", "a=1-2 b=3 c=4")]
    [InlineData("/f/a{x}", "/f/aa", "x=a")]
    [InlineData("/f/{x}aa", "/f/aaa", "x=a")]
    [InlineData("/f/{x}-{y}", "/f/-1", "404")]
    [InlineData("/f/{x}-{y}", "/f/1-", "404")]
    [InlineData("/f/{x}-{y}", "/f/1", "404")]
    [InlineData("/f/{x:int}-{y:alpha}", "/f/1-a", "x=1 y=a")]
    [InlineData("/f/{x:int}-{y:alpha}", "/f/a-a", "404")]
    [InlineData("/{x}", "/a%20b", "x=a%20b")]
    [InlineData("/{x:regex(^a b$)}", "/a%20b", "x=a%20b")]
    public void Parameters_OfAMatch_HaveTheirPartOfThePath(string template, string path, string expected)
    {
        var parsed = Template(template);
        var names = parsed.Parameters.Keys.ToList();
        var table = RouteTableBuilder.Build([new RouteEntry<string>("r", "r", [], [parsed], names, [], [])], []);
        var lookup = default(RouteLookup<string>);
        table.Find(TestRequest.Create("GET", path).Request.AsClient(), path, ref lookup);
        if (lookup.Outcome != RouteOutcome.Found)
        {
            Assert.Equal("404", expected);
            return;
        }

        var values = new List<string>();
        for (var i = 0; i < names.Count; i++)
        {
            var slot = lookup.Candidate!.Slots[i];
            values.Add(
                $"{names[i]}={(slot < 0 ? lookup.Candidate.Defaults[i] : path.Substring(lookup.Captures[slot].Start, lookup.Captures[slot].Length))}"
            );
        }

        Assert.Equal(expected, string.Join(' ', values));
    }

    /// <summary>Which route wins does not depend on its position in the files.</summary>
    [Fact]
    public void Routes_InAnyOrder_GiveTheSameOutcome() =>
        Gen.Select(Tables, Requests, Gen.Int[0, 1000])
            .Sample(
                (table, request, seed) =>
                {
                    var shuffled = table
                        .Select((route, i) => (Route: route, Name: (i + 1).ToString(System.Globalization.CultureInfo.InvariantCulture)))
                        .ToArray();
                    new Random(seed).Shuffle(shuffled);
                    Assert.Equal(
                        Find(string.Join(" | ", table), request),
                        Find(string.Join(" | ", shuffled.Select(s => s.Route)), request, [.. shuffled.Select(s => s.Name)])
                    );
                },
                iter: 5_000
            );

    /// <summary>The tree against the simplest implementation: try all, keep the best.</summary>
    [Fact]
    public void Table_OfRandomRoutes_AgreesWithTheNaiveMatcher()
    {
        var outcomes = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        Gen.Select(Tables, Requests)
            .Sample(
                (table, request) =>
                {
                    var expected = NaiveMatcher.Find(table, request);
                    if (expected is null)
                        return; // two routes of equal rank: refused when the configuration is read
                    Assert.Equal(expected, Find(string.Join(" | ", table), request));
                    outcomes.AddOrUpdate(expected.Length < 3 ? "found" : expected[..3], 1, (_, n) => n + 1);
                },
                iter: 10_000
            );
        Assert.True(outcomes["found"] > 500 && outcomes["404"] > 250 && outcomes["405"] > 250, string.Join(", ", outcomes));
    }

    /// <summary>
    /// The explanation of each losing route, against the table: it would serve the request if it were alone exactly if the explanation
    /// says that it matches.
    /// </summary>
    [Fact]
    public void Explanation_OfRandomRoutes_AgreesWithTheTable()
    {
        var (fitting, others) = (0, 0);
        Gen.Select(Tables, Requests)
            .Sample(
                (routes, request) =>
                {
                    if (NaiveMatcher.Find(routes, request) is not { } expected)
                        return;
                    var table = Table(string.Join(" | ", routes));
                    var path = request.Split(' ')[2].Split('?')[0];
                    var lookup = default(RouteLookup<string>);
                    table.Find(Context(request).AsClient(), path, ref lookup);
                    var losses = RouteExplanation.Losses(table, Context(request).AsClient(), path, lookup.Candidate);
                    Assert.Equal(routes.Length - (lookup.Candidate is null ? 0 : 1), losses.Count);
                    foreach (var loss in losses)
                    {
                        var fits = loss.Reasons.Exists(r => r.StartsWith(RouteExplanation.Fitting, StringComparison.Ordinal));
                        Assert.Equal(
                            Find(routes[int.Parse(loss.Name, System.Globalization.CultureInfo.InvariantCulture) - 1], request) == "1",
                            fits
                        );
                        Assert.True(loss.Reasons.Count + loss.FailedConditions.Count > 0, "a loss without a reason");
                        Assert.DoesNotContain(loss.Reasons, r => r.EndsWith("ranks equally", StringComparison.Ordinal));
                        Interlocked.Increment(ref fits ? ref fitting : ref others);
                    }
                },
                iter: 2_500
            );
        Assert.True(fitting > 10 && others > 250, $"{fitting} fit, {others} do not");
    }

    private static readonly string[] Hosts = ["", "", "a.test ", "*.test "];
    private static readonly string[] Methods = ["*", "GET", "POST", "GET,POST", "HEAD"];
    private static readonly string[] Segments = ["a", "b", "{x}", "{x:int}", "a{x}", "{x}b"];
    private static readonly string[] Tails = ["", "", "", "/{**r}", "/{**r:minlength(2)}"];
    private static readonly string[] Conditions = ["", "", " h:A", " h:B", " q:a"];

    private static Gen<string> Choice(string[] choices) => Gen.Int[0, choices.Length - 1].Select(i => choices[i]);

    private static Gen<string[]> Tables { get; } =
        Gen.Select(
            Choice(Hosts),
            Choice(Methods),
            Choice(Segments).Array[0, 3],
            Choice(Tails),
            Choice(Conditions),
            (host, methods, segments, tail, condition) =>
                $"{host}{methods} {(segments.Length == 0 && tail.Length == 0 ? "/" : string.Concat(segments.Select((s, i) => "/" + s.Replace("{x", "{x" + i, StringComparison.Ordinal))) + tail)}{condition}"
        ).Array[1, 6];

    private static Gen<string> Requests { get; } =
        Gen.Select(
            Choice(["GET", "POST", "PUT", "HEAD"]),
            Choice(["a.test", "b.test", "test"]),
            Choice(["a", "b", "ab", "5", "A"]).Array[0, 4],
            Choice(["", "/"]),
            Choice(["", "?a=1"]),
            Choice(["", " A=1", " B=1", " A=1 B=1"]),
            (method, host, segments, slash, query, headers) =>
                $"{method} {host} {(segments.Length == 0 ? "/" : string.Concat(segments.Select(s => "/" + s)) + slash)}{query}{headers}"
        );

    private static PathTemplate Template(string text)
    {
        var template = PathTemplate.Parse(text, out var problem, out _);
        Assert.True(template is not null, problem);
        return template;
    }

    /// <summary>Routes are <c>[HOST] METHODS PATH [h:Name|q:name|c:name]…</c>, requests <c>METHOD HOST PATH [Header=value]…</c>.</summary>
    private static string Find(string routes, string request, string[]? names = null)
    {
        var lookup = default(RouteLookup<string>);
        Table(routes, names).Find(Context(request).AsClient(), request.Split(' ')[2].Split('?')[0], ref lookup);
        return lookup.Outcome switch
        {
            RouteOutcome.Found => lookup.Candidate!.Name,
            RouteOutcome.MethodNotAllowed => "405 " + string.Join(',', lookup.Allowed!),
            _ => "404",
        };
    }

    private static Microsoft.AspNetCore.Http.HttpRequest Context(string request)
    {
        var parts = request.Split(' ');
        return TestRequest
            .Create(
                parts[0],
                parts[2],
                parts[1],
                [
                    .. parts
                        .Skip(3)
                        .Select(h => (h[..h.IndexOf('=')], h[(h.IndexOf('=') + 1)..].Replace(";", "; ", StringComparison.Ordinal))),
                ]
            )
            .Request;
    }

    private static RouteTable<string> Table(string routes, string[]? names = null)
    {
        var entries = routes
            .Split(" | ")
            .Select(
                (route, i) =>
                {
                    var words = route.Split(' ').ToList();
                    var path = words.FindIndex(w => w.StartsWith('/'));
                    string[] hosts = path == 2 ? [words[0]] : [];
                    string[] methods = words[path - 1] == "*" ? [] : words[path - 1].Split(',');
                    var conditions = words
                        .Skip(path + 1)
                        .Select(c => new Condition(
                            c[0] switch
                            {
                                'h' => ConditionPlace.Header,
                                'q' => ConditionPlace.Query,
                                _ => ConditionPlace.Cookie,
                            },
                            c[2..],
                            new PresentTest(true)
                        ));
                    var template = Template(words[path]);
                    var name = names?[i] ?? (i + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
                    return new RouteEntry<string>(name, name, hosts, [template], [.. template.Parameters.Keys], methods, [.. conditions]);
                }
            );
        return RouteTableBuilder.Build(entries, []);
    }
}
