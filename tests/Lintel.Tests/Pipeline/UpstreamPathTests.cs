using CsCheck;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Pipeline;

public sealed class UpstreamPathTests
{
    [Theory]
    [InlineData("/u/{id}", "/u/{id}", "/u/42", "/u/42")]
    [InlineData("/u/{id}", "/people/{id}/x", "/u/a%20b", "/people/a%20b/x")]
    [InlineData("/u/{id}", "/", "/u/1", "/")]
    [InlineData("/u/{id}", "/a/", "/u/1", "/a/")]
    [InlineData("/u/{id}", "/{id}/", "/u/1", "/1/")]
    [InlineData("/u/{id}", "/a b/é", "/u/1", "/a%20b/%C3%A9")]
    [InlineData("/u/{**rest}", "/{rest}", "/u/a/b", "/a/b")]
    [InlineData("/u/{**rest}", "/{rest}", "/u/a/b/", "/a/b/")]
    [InlineData("/u/{**rest}", "/{rest}", "/u", "/")]
    [InlineData("/u/{**rest}", "/v/{rest}", "/u", "/v")]
    [InlineData("/u/{**rest}", "/v/{rest}", "/u/", "/v/")]
    [InlineData("/u/{**rest}", "/v/{rest}/x", "/u", "/v/x")]
    [InlineData("/u/{id=7}", "/v/{id}", "/u", "/v/7")]
    [InlineData("/u/{a}/{b}", "/{b}-{a}", "/u/1/2", "/2-1")]
    [InlineData("/u", "/t/{header:X-T}", "/u", "/t/acme")]
    [InlineData("/u", "/q/{query:q}", "/u?q=a%20b%3F%23", "/q/a%20b%3F%23")]
    [InlineData("/u", "/q/{query:q}", "/u?q=%252e%252e", "/q/%252e%252e")]
    [InlineData("/u", "/{{{query:q}}}", "/u?q=1", "/%7B1%7D")]
    public void Path_WithValues_IsWhatTheServiceSees(string match, string template, string target, string expected) =>
        Assert.Equal(expected, Render(match, template, target, allow: ""));

    [Theory]
    [InlineData("/u", "/q/{query:q}", "/u", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=.", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=..", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=a/b", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=a%5Cb", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=a;b", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=a%0d%0ab", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=%00", "")]
    [InlineData("/u", "/q/.{query:q}", "/u?q=.", "")]
    [InlineData("/u", "/q/{query:q}{query:q}", "/u?q=.", "")]
    [InlineData("/u", "/q/{query:q}", "/u?q=../x", "encodedSlashes")]
    [InlineData("/u", "/q/{query:q}", "/u?q=..;x", "semicolons")]
    [InlineData("/u", "/q/.{query:q}", "/u?q=.;x", "semicolons")]
    [InlineData("/u", "/q/.{query:q}", "/u?q=./x", "encodedSlashes")]
    [InlineData("/u/{id?}", "/{id}", "/u", "")]
    [InlineData("/u/x-{id}", "/{id}", "/u/x-..", "")]
    [InlineData("/u/x-{id}", "/{id}", "/u/x-..;y", "semicolons")]
    [InlineData("/u/x-{id}", "/{id}", "/u/x-..%2Fadmin", "encodedSlashes")]
    [InlineData("/u/{a}-{b}", "/{a}{b}", "/u/.-.", "")]
    public void Path_WithAValueThatIsNoSegment_IsRefused(string match, string template, string target, string allow) =>
        Assert.StartsWith("refused: the value of {", Render(match, template, target, allow), StringComparison.Ordinal);

    /// <summary>Whatever a client sends, the target keeps its segments: each value stays within its own.</summary>
    [Fact]
    public void Path_WithHostileValues_NeverLeavesItsSegments()
    {
        string[] pieces =
        [
            "a",
            ".",
            "..",
            "/",
            "\\",
            ";",
            "%2f",
            "%2e",
            "%",
            "?",
            "#",
            "\r\n",
            "\0",
            " ",
            "é",
            "{",
            "}",
            "&",
            "=",
            "+",
            "@",
            "//",
        ];
        var hostile = Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]).Array[0, 5].Select(p => string.Concat(p));
        var rendered = 0;
        foreach (var allow in new[] { "", "encodedSlashes", "encodedSlashes, semicolons" })
        {
            var snapshot = Snapshot("/u", allow);
            var path = Parse("/fixed/{query:a}/x-{query:b}.y/{query:c}{header:X-T}/end", snapshot.Allowed);
            Gen.Select(hostile, hostile, hostile, hostile)
                .Sample(
                    (a, b, c, d) =>
                    {
                        var context = TestRequest.Create(
                            "GET",
                            $"/u?a={Uri.EscapeDataString(a)}&b={Uri.EscapeDataString(b)}&c={Uri.EscapeDataString(c)}"
                        );
                        context.Request.Headers["X-T"] = d;
                        if (!path.TryRender(TestRequest.Matched(snapshot.Snapshot, context), out var target, out _))
                            return;
                        Interlocked.Increment(ref rendered);
                        Assert.Matches("^(/([A-Za-z0-9._~!$&'()*+,=:@;-]|%[0-9A-F]{2})+){5}$", target);
                        Assert.StartsWith("/fixed/", target, StringComparison.Ordinal);
                        Assert.EndsWith("/end", target, StringComparison.Ordinal);
                        var segments = target.Split('/');
                        Assert.Equal(a, Uri.UnescapeDataString(segments[2]));
                        Assert.Equal($"x-{b}.y", Uri.UnescapeDataString(segments[3]));

                        // A service that decodes before it splits, or cuts parameters off, is led nowhere else either.
                        Assert.DoesNotContain(Uri.UnescapeDataString(target).Replace('\\', '/').Split('/'), s =>
                            s.Split(';')[0] is "." or ".."
                        );
                        if (allow.Length == 0)
                            Assert.DoesNotMatch("(?i)%2f|%5c|;|%3b", target);
                    },
                    iter: 5_000
                );
        }

        Assert.True(rendered > 1_000, $"only {rendered}");
    }

    /// <summary>The same for values from the path.</summary>
    [Fact]
    public void Path_WithHostileParameters_NeverLeavesItsSegments()
    {
        string[] pieces = ["a", ".", "..", "-", ";", "%2f", "%2F", "%5c", "%2e", "%20", "+", "%25", "é"];
        var hostile = Gen.Int[0, pieces.Length - 2].Select(i => pieces[i]).Array[0, 6].Select(p => string.Concat(p));
        var snapshot = GatewayReader.Snapshot(
            "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: { path: '/u/{a}-{b}', allow: [encodedSlashes, semicolons] }, "
                + "forward: s } }\n"
        );
        var path = UpstreamPath.Parse(
            "/fixed/{a}/{b}{a}/end",
            new RouteParameters(["a", "b"], [false, false]),
            PathTraits.EncodedSlash | PathTraits.Semicolon,
            out _,
            out _
        )!;
        var rendered = 0;
        hostile.Sample(
            segment =>
            {
                if (
                    !RequestTarget.TryParse("/u/x-" + segment + "y", out var target, out _)
                    || !target.Path.StartsWith("/u/x-", StringComparison.Ordinal)
                )
                    return;
                var exchange = TestRequest.Matched(snapshot, TestRequest.Create("GET", "/u/x-" + segment + "y"));
                if (!path.TryRender(exchange, out var result, out _))
                    return;
                Interlocked.Increment(ref rendered);
                Assert.Equal(5, result.Split('/').Length);
                Assert.DoesNotContain(Uri.UnescapeDataString(result).Replace('\\', '/').Split('/'), s => s.Split(';')[0] is "." or "..");
            },
            iter: 5_000
        );
        Assert.True(rendered > 500, $"only {rendered}");
    }

    [Theory]
    [InlineData("/users/{a}", "/users/{b}", true)]
    [InlineData("/users/{a}", "/orders/{a}", false)]
    [InlineData("/users/{a}", "/users/7", true)]
    [InlineData("/users/{a}", "/users/{a}/x", false)]
    [InlineData("/users/7", "/users/7", true)]
    [InlineData("/users/7", "/users/8", false)]
    [InlineData("/users/x-{a}", "/users/{b}", true)]
    [InlineData("/{rest}", "/users/{a}/x", true)]
    [InlineData("/users/{rest}", "/users/{a}/{b}/x", true)]
    [InlineData("/users/{rest}", "/orders/{a}/{b}/x", false)]
    [InlineData("/a b", "/a%20b", true)]
    public void Paths_ThatDifferInAFixedSegment_AreNeverEqual(string one, string other, bool may)
    {
        var (first, second) = (Parse(one), Parse(other));
        Assert.Equal(may, first.MayEqual(second));
        Assert.Equal(may, second.MayEqual(first));

        static UpstreamPath Parse(string template) =>
            UpstreamPath.Parse(template, new RouteParameters(["a", "b", "rest"], [false, false, true]), PathTraits.None, out _, out _)!;
    }

    private static string Render(string match, string template, string target, string allow)
    {
        var snapshot = Snapshot(match, allow);
        var exchange = TestRequest.Matched(snapshot.Snapshot, TestRequest.Create("GET", target, headers: ("X-T", "acme")));
        var parameters = PathTemplate.Parse(match, out _, out _)!.Parameters;
        var path = UpstreamPath.Parse(
            template,
            new RouteParameters([.. parameters.Keys], [.. parameters.Values]),
            snapshot.Allowed,
            out var wrong,
            out _
        );
        Assert.True(path is not null, wrong);
        return path.TryRender(exchange, out var rendered, out var problem) ? rendered : "refused: " + problem;
    }

    private static UpstreamPath Parse(string template, PathTraits allowed) =>
        UpstreamPath.Parse(template, new RouteParameters([], []), allowed, out _, out _)!;

    private static (Snapshot Snapshot, PathTraits Allowed) Snapshot(string match, string allow) =>
        (
            GatewayReader.Snapshot(
                $"services: {{ s: http://127.0.0.1:1 }}\nroutes: {{ r: {{ match: {{ path: '{match}', allow: [{allow}] }}, "
                    + $"forward: s }} }}\n"
            ),
            (allow.Contains("Slashes", StringComparison.Ordinal) ? PathTraits.EncodedSlash : PathTraits.None)
                | (allow.Contains("semi", StringComparison.Ordinal) ? PathTraits.Semicolon : PathTraits.None)
        );
}
