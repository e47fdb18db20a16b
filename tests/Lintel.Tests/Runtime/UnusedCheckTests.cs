namespace Lintel.Tests.Runtime;

/// <summary>Valid configurations that are probably not intended.</summary>
public sealed class UnusedCheckTests
{
    [Theory]
    [InlineData("services: { s: \"http://127.0.0.1:1\" }", "routes: no-routes")]
    [InlineData(
        "services: { s: \"http://127.0.0.1:1\", t: \"http://127.0.0.1:1\" }\nroutes: { r: { match: /a, forward: s } }",
        "services.t: unused"
    )]
    [InlineData("clients: { c: { when: { headers: { A: b } } } }\nroutes: { r: { match: /a, respond: {} } }", "clients.c: unused")]
    [InlineData("admin: { token: abc }\nroutes: { r: { match: /a, respond: {} } }", "admin.token: weak")]
    [InlineData("admin: { token: 0123456789abcde }\nroutes: { r: { match: /a, respond: {} } }", "admin.token: weak")]
    public void Configuration_ThatIsValidAndProbablyNotMeant_HasAWarning(string yaml, string expected)
    {
        var report = GatewayReader.Parse(yaml).Report;
        Assert.True(report.IsValid);
        var warning = Assert.Single(report.Warnings);
        Assert.Equal(expected, $"{warning.Path}: {warning.Code}");
        Assert.True(warning.Position.Line > 0);
        Assert.NotNull(warning.Hint);
    }

    [Theory]
    [InlineData("admin: { token: 0123456789abcdef }\nroutes: { r: { match: /a, respond: {} } }")]
    [InlineData(
        "services: { s: \"http://127.0.0.1:1\", t: \"http://127.0.0.1:1\", m: \"http://127.0.0.1:1\" }\nroutes: { r: { match: /a, "
            + "forward: { split: { s: 1, t: 0 }, mirror: m } } }"
    )]
    public void Configuration_InWhichAllIsUsed_HasNone(string yaml) => Assert.Empty(GatewayReader.Parse(yaml).Report.Warnings);

    [Fact]
    public void Configuration_OfCompositions_UsesWhatCallsAndVariantsName()
    {
        const string Yaml = """
            services: { s: "http://127.0.0.1:1", t: "http://127.0.0.1:1", u: "http://127.0.0.1:1" }
            clients: { mobile: { when: { headers: { A: b } } } }
            routes:
              r:
                match: POST /a
                compose:
                  calls: { a: s/a, b: { request: POST t/b, compensate: DELETE u/b, after: a } }
                  variants: { mobile: { body: { a: a } } }
            """;
        var reading = GatewayReader.Parse(Yaml);
        Assert.Empty(reading.Report.Problems);
        Assert.Empty(reading.Report.Warnings);
    }
}
