using Lintel.Control.Explaining;

namespace Lintel.Tests.Golden;

/// <summary>
/// Every request of <c>explain/</c> (its line, then its headers) with its explanation under <c>gateway.yaml</c>, in the <c>.golden</c>
/// file beside it. <c>LINTEL_UPDATE_GOLDEN=1</c> writes the expected text, to be reviewed before it is committed.
/// </summary>
public sealed class ExplanationTests
{
    private static readonly string Folder = Path.Combine(Repository.Tests, "Golden", "explain");

    public static TheoryData<string> Cases =>
        [.. Directory.EnumerateFiles(Folder, "*.request").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Explanation_OfARequest_IsAsExpected(string name)
    {
        var lines = File.ReadAllLines(Path.Combine(Folder, name + ".request"));
        var request = ExplainRequest.Parse(lines[0], lines.Skip(1), out var problem);
        Assert.True(request is not null, problem);
        var said = GatewayReader.Explain(Path.Combine(Folder, "gateway.yaml"), request).ToText();

        var golden = Path.Combine(Folder, name + ".golden");
        if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            File.WriteAllText(golden, said);
        Assert.Equal(File.ReadAllText(golden), said);
    }

    [Fact]
    public void GoldenFiles_WithoutRequest_DoNotExist()
    {
        Assert.DoesNotContain(Directory.EnumerateFiles(Folder, "*.golden"), g => !File.Exists(Path.ChangeExtension(g, ".request")));
        Assert.True(Cases.Count >= 12);
    }

    [Theory]
    [InlineData("")]
    [InlineData("GET")]
    [InlineData("get /a")]
    [InlineData("GET a")]
    [InlineData("GET /a HTTP/1.1")]
    public void Request_ThatIsNone_IsRefused(string line)
    {
        Assert.Null(ExplainRequest.Parse(line, [], out var problem));
        Assert.StartsWith($"`{line}` is not a request", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-A")]
    [InlineData(": a")]
    [InlineData("X A: b")]
    [InlineData("X-A: b\r\nX-B: c")]
    public void Header_ThatIsNone_IsRefused(string header)
    {
        Assert.Null(ExplainRequest.Parse("/a", [header], out var problem));
        Assert.StartsWith($"`{header}` is not a header", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Request_WithoutMethod_IsAGet() => Assert.Equal("GET", ExplainRequest.Parse("/a", ["X-A: b"], out _)!.Method);
}
