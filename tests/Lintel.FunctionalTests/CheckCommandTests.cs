using System.Text.Json.Nodes;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary><c>lintel check</c>, and <c>lintel explain</c> with an assumed caller.</summary>
[AnyTransport]
public sealed class CheckCommandTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Check_ListsWeakSettings_AndIsStrictIfAsked()
    {
        var file = Write("policies: [{ access: { allow: 10.0.0.0/8 } }, { cors: { origins: [\"*\"] } }]");
        var (code, output, _) = await LocalProgram.RunAsync("check", file);
        Assert.Equal(0, code);
        Assert.Contains("gateway.yaml:2:", output, StringComparison.Ordinal);
        Assert.Contains("warning any-origin at routes.r.policies[1].cors.origins: pages of any origin", output, StringComparison.Ordinal);
        Assert.EndsWith("valid, 1 warning\n", output, StringComparison.Ordinal);
        Assert.Equal(1, (await LocalProgram.RunAsync("check", "--strict", file)).Code);
        Assert.Equal((0, "valid\n", ""), await LocalProgram.RunAsync("check", "--strict", "--except", "any-origin", file));
        Assert.NotEqual(0, (await LocalProgram.RunAsync("check", "--except", "any-orign", file)).Code);
        var json = JsonNode.Parse((await LocalProgram.RunAsync("check", "--format", "json", file)).Output)!;
        Assert.Equal("any-origin", (string?)json["warnings"]![0]!["code"]);
    }

    [Fact]
    public async Task Check_OfAnInvalidConfiguration_ReportsItsProblems()
    {
        var (code, output, _) = await LocalProgram.RunAsync("check", Write("policies: [nothing]"));
        Assert.Equal(1, code);
        Assert.Contains("unknown-policy", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_OfAnAssumedCaller_TellsWhichRulesItMeets()
    {
        var file = Write(
            "policies: [{ apiKey: {} }, { authorize: { any: [{ client: acme }, { role: admin }] } }]",
            "clients: { acme: { claims: { azp: x } } }"
        );
        var (code, output, _) = await LocalProgram.RunAsync("explain", file, "/r", "--as", "acme");
        Assert.Equal(0, code);
        Assert.Contains("caller      assumed: client acme\n", output, StringComparison.Ordinal);
        (code, output, _) = await LocalProgram.RunAsync(
            "explain",
            "--format",
            "json",
            "--claims",
            "{\"sub\":\"kim\",\"roles\":[\"user\"]}",
            file,
            "/r"
        );
        Assert.Equal(1, code);
        var caller = JsonNode.Parse(output)!["caller"]!;
        Assert.Equal(("kim", false), ((string?)caller["subject"], (bool)caller["rules"]![0]!["isMet"]!));
        Assert.Equal("role admin", (string?)caller["rules"]![0]!["parts"]![1]!["text"]);
        Assert.Equal(1, (await LocalProgram.RunAsync("explain", file, "/r", "--claims", "kim")).Code);
    }

    private string Write(string policies, string more = "") =>
        _folder.Write(
            "gateway.yaml",
            $"services: {{ s: http://127.0.0.1:1 }}\nroutes: {{ r: {{ match: /r, forward: s, {policies} }} }}\n{more}\n"
        );
}
