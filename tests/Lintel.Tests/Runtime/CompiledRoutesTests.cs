using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Runtime;

namespace Lintel.Tests.Runtime;

/// <summary>A reload recompiles the routes that changed, and those that refer to changed objects.</summary>
public sealed class CompiledRoutesTests
{
    private const string Before = """
        services: { a: "http://192.0.2.1:80", b: "http://192.0.2.2:80" }
        clients: { phone: { when: { headers: { User-Agent: { prefix: Phone } } } } }
        policies:
          inside: { access: { allow: 10.0.0.0/8 } }
          default: { access: { deny: 10.0.0.0/8 } }
        defaults: { timeouts: { request: 5s }, policies: [default] }
        routes:
          a: { match: "/a/{id}", forward: "a/x/{id}" }
          b: { match: { path: "/b", client: phone }, forward: b, policies: [inside] }
          c: { match: "/c", respond: { body: "1" }, policies: [inside] }
          d: { match: "/d", compose: { calls: { one: { request: "a/1" } } }, policies: [{ securityHeaders: { frames: deny } }] }
        """;

    private readonly SnapshotCompiler _compiler = GatewayReader.Compiler();

    [Fact]
    public void RouteThatChanged_IsMadeAnew_AndItsNeighboursAreKept()
    {
        var before = Compile(Before);
        var after = Compile(
            Before.Replace("body: \"1\"", "body: \"2\"", StringComparison.Ordinal) + "\n  e: { match: \"/e\", forward: a }\n"
        );
        Assert.Equal(["c", "e"], Anew(before, after));
        Assert.Equal(["a", "b", "c", "d", "e"], after.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void RouteThatIsGone_IsGone()
    {
        Compile(Before);
        var after = Compile(
            Before.Replace("  c: { match: \"/c\", respond: { body: \"1\" }, policies: [inside] }\n", "", StringComparison.Ordinal)
        );
        Assert.Equal(["a", "b", "d"], after.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("192.0.2.1:80", "192.0.2.3:80", "a d")]
    [InlineData("192.0.2.2:80", "192.0.2.3:80", "b")]
    [InlineData("prefix: Phone", "prefix: Tablet", "b")]
    [InlineData("request: 5s", "request: 6s", "a b c d")]
    [InlineData("b: \"http://192.0.2.2:80\"", "b: \"http://192.0.2.2:80\", c: \"http://192.0.2.9:80\"", "")]
    [InlineData("clients: { ", "clients: { other: { when: { headers: { X: y } } }, ", "")]
    [InlineData("allow: 10.0.0.0/8", "allow: 10.0.0.0/9", "b c")]
    [InlineData("frames: deny", "frames: allow", "d")]
    [InlineData("deny: 10.0.0.0/8", "deny: 10.0.0.0/9", "a")]
    public void RoutesThatReferToWhatChanged_AreMadeAnew_AndNoOthers(string written, string instead, string anew) =>
        Assert.Equal(
            anew.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Anew(Compile(Before), Compile(Before.Replace(written, instead, StringComparison.Ordinal)))
        );

    [Fact]
    public void RefusedConfiguration_ChangesNothing()
    {
        var before = Compile(Before);
        var broken = Read(Before.Replace("forward: b,", "forward: nobody,", StringComparison.Ordinal));
        Assert.Null(_compiler.Compile(broken.Config!, broken.Root, broken.Report));
        Assert.Contains(broken.Report.Problems, p => p.Code == "unknown-service");
        Assert.Empty(Anew(before, Compile(Before)));
    }

    /// <summary>A valid route may have become invalid: a reused route hides no problem.</summary>
    [Fact]
    public void RouteThatCollidesWithANewOne_IsStillTold()
    {
        Compile(Before);
        var second = Read(Before + "\n  a2: { match: \"/a/{other}\", forward: b }\n");
        Assert.Null(_compiler.Compile(second.Config!, second.Root, second.Report));
        Assert.Contains(second.Report.Problems, p => p.Code == "indistinguishable");
        var gone = Read(Before.Replace(", b: \"http://192.0.2.2:80\"", "", StringComparison.Ordinal));
        Assert.Null(_compiler.Compile(gone.Config!, gone.Root, gone.Report));
        Assert.Contains(gone.Report.Problems, p => p.Code == "unknown-service");
    }

    private static SourceReading Read(string yaml)
    {
        var document = ConfigDocument.Parse("test.yaml", yaml, GatewayReader.TestEnvironment);
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config);
        return new SourceReading(config, document.Root, document.Report);
    }

    private static IEnumerable<string> Anew(Dictionary<string, Route> before, Dictionary<string, Route> after) =>
        after
            .Where(r => !before.TryGetValue(r.Key, out var old) || !ReferenceEquals(old, r.Value))
            .Select(r => r.Key)
            .Order(StringComparer.Ordinal);

    /// <summary>As in a gateway, the snapshot remains in use while the next one is compiled.</summary>
    private Dictionary<string, Route> Compile(string yaml)
    {
        var reading = Read(yaml);
        var snapshot = _compiler.Compile(reading.Config!, reading.Root, reading.Report);
        Assert.Empty(reading.Report.Problems);
        return snapshot!.Routes.All.ToDictionary(c => c.Candidate.Name, c => c.Candidate.Route, StringComparer.Ordinal);
    }
}
