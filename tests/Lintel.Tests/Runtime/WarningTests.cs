namespace Lintel.Tests.Runtime;

public sealed class WarningTests
{
    /// <summary>Compiling looks at no certificate; that the files exist is checked.</summary>
    private static readonly string AnyFile = typeof(WarningTests).Assembly.Location;

    private static readonly string Listeners = $$"""
        listeners:
          public: http://127.0.0.1:0
          secure: { address: "https://127.0.0.1:0", certificates: [{ path: "{{AnyFile}}" }], clientCertificates: { authorities: "{{AnyFile}}" } }
        """;

    [Theory]
    [InlineData("a: { match: /a, respond: {} }", "`a`")]
    [InlineData(
        "a: { match: /a, respond: {} }, b: { match: { path: /b, listeners: [secure] }, respond: {} }, c: { match: /c, respond: {} }",
        "`a`, `c`"
    )]
    [InlineData("a: { match: { path: /a, listeners: [secure] }, respond: {} }", null)]
    [InlineData("a: { match: { path: /a, listeners: [secure, public] }, respond: {} }", null)]
    public void Route_WithAndWithoutClientCertificates_IsWarnedOf(string routes, string? named)
    {
        var report = GatewayReader.Parse(Listeners + "\nroutes: { " + routes + " }").Report;
        Assert.True(report.IsValid, string.Join("\n", report.Problems));
        if (named is null)
        {
            Assert.Empty(report.Warnings);
            return;
        }

        var warning = Assert.Single(report.Warnings);
        Assert.Equal(("unguarded", "listeners.secure.clientCertificates"), (warning.Code, warning.Path));
        Assert.EndsWith(": " + named, warning.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("match: /a", true)]
    [InlineData("match: { path: /a, scheme: http }", false)]
    public void Redirect_ToItself_IsWarnedOf(string match, bool expected) =>
        Assert.Equal(
            expected ? ["redirect-loop"] : [],
            GatewayReader.Parse($"routes: {{ a: {{ {match}, redirect: {{ scheme: https }} }} }}").Report.Warnings.Select(w => w.Code)
        );
}
