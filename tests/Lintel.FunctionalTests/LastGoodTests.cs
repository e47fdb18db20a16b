using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary><c>--fallback-last-good</c>, and that a process which is killed leaves one to start from.</summary>
[AnyTransport]
public sealed class LastGoodTests : IDisposable
{
    private const int SigHup = 1;
    private const int SigKill = 9;
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly ConfigFolder _config = new();
    private readonly ConfigFolder _state = new();

    public LastGoodTests() => Environment.SetEnvironmentVariable("LINTEL_TEST_LAST_GOOD", "s3cret");

    private string Option => "--fallback-last-good=" + _state.Path;

    public void Dispose()
    {
        _config.Dispose();
        _state.Dispose();
    }

    [Theory]
    [InlineData("broken")]
    [InlineData("missing")]
    [InlineData("include missing")]
    public async Task Start_WithFilesThatAreNotRight_ServesTheLastGoodOnes_UntilTheyAre(string way)
    {
        var root = _config.Write(
            "gateway.yaml",
            LocalProgram.Quiet(
                "include: [\"routes/*.yaml\"]\nroutes: { s: { match: /s, respond: { body: \"${LINTEL_TEST_LAST_GOOD}\" } } }"
            )
        );
        var part = _config.Write("routes/a.yaml", "routes: { a: { match: /a, respond: { body: one } } }");
        await RunOnceAsync("/a", "one");
        var kept = Assert.Single(Directory.GetFiles(_state.Path));
        Assert.DoesNotContain("s3cret", await File.ReadAllTextAsync(kept, None), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(kept));

        var good = await File.ReadAllTextAsync(root, None);
        switch (way)
        {
            case "broken":
                _config.Write("routes/a.yaml", "routes: { a: { match: /a, respnd: {} } }");
                break;
            case "missing":
                File.Delete(root);
                break;
            case "include missing":
                Directory.Delete(Path.GetDirectoryName(part)!, recursive: true);
                break;
        }

        await using var gateway = await LocalProgram.StartInAsync(_config.Path, Option);
        Assert.Equal("one", await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None));
        Assert.Equal("s3cret", await gateway.Client.GetStringAsync(new Uri("/s", UriKind.Relative), None));
        Assert.Contains("SERVING THE LAST GOOD CONFIGURATION", gateway.Errors, StringComparison.Ordinal);
        Assert.Contains("LAST GOOD", gateway.Errors, StringComparison.Ordinal);
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        Assert.Contains("ready", await admin.GetStringAsync(new Uri("/health/ready", UriKind.Relative), None), StringComparison.Ordinal);
        Assert.Equal(1, await FallbackAsync(admin));
        Assert.Contains(
            "\"filePath\":\"" + kept,
            (await admin.GetStringAsync(new Uri("/api/v1/snapshot", UriKind.Relative), None)).Replace(
                "\": \"",
                "\":\"",
                StringComparison.Ordinal
            ),
            StringComparison.Ordinal
        );

        _config.Write("gateway.yaml", good);
        _config.Write("routes/a.yaml", "routes: { a: { match: /a, respond: { body: two } } }");
        await Until.TrueAsync(async () => await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None) == "two");
        await Until.TrueAsync(async () => await FallbackAsync(admin) == 0);
    }

    [Fact]
    public async Task Start_WithADamagedCopy_IsRefusedAsWithoutOne()
    {
        var root = _config.Write("gateway.yaml", LocalProgram.Quiet("routes: { a: { match: /a, respond: { body: one } } }"));
        await RunOnceAsync("/a", "one");
        var kept = Directory.GetFiles(_state.Path).Single();
        var bytes = await File.ReadAllBytesAsync(kept, None);
        bytes[^10] ^= 1;
        await File.WriteAllBytesAsync(kept, bytes, None);
        await File.WriteAllTextAsync(root, "routes: [", None);
        var (code, _, errors) = await LocalProgram.RunAsync("run", root, "--fallback-last-good=" + _state.Path);
        Assert.Equal(1, code);
        Assert.Contains("checksum", errors, StringComparison.Ordinal);
        Assert.Contains("syntax", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithoutTheOption_NeitherKeepsNorFallsBack()
    {
        var root = _config.Write("gateway.yaml", LocalProgram.Quiet("routes: { a: { match: /a, respond: { body: one } } }"));
        await using (
            var gateway = await GatewayProcess.StartInAsync(
                _config.Path,
                new ProcessSettings { Environment = { ["STATE_DIRECTORY"] = _state.Path } }
            )
        )
        {
            Assert.Equal("one", await gateway.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None));
        }

        Assert.Empty(Directory.GetFiles(_state.Path));
        await RunOnceAsync("/a", "one");
        await File.WriteAllTextAsync(root, "routes: [", None);
        Assert.Equal(1, (await LocalProgram.RunAsync("run", root)).Code);
        Assert.Equal(
            1,
            (await LocalProgram.RunAsync("run", Path.Combine(_state.Path, "other.yaml"), "--fallback-last-good=" + _state.Path)).Code
        );
    }

    [Fact]
    public async Task Folder_WithoutOneNamed_IsSystemdsAndTheOptionTakesNoFileForIt()
    {
        var file = _config.Write("gateway.yaml", LocalProgram.Quiet("routes: { a: { match: /a, respond: { body: one } } }"));
        var settings = new ProcessSettings
        {
            Environment = { ["STATE_DIRECTORY"] = _state["first"] + ":" + _state["second"] },
            Arguments = ["--fallback-last-good", file],
        };
        await using var gateway = await GatewayProcess.StartInAsync(_config.Path, settings);
        await Until.TrueAsync(() => Directory.Exists(_state["first"]) && Directory.GetFiles(_state["first"]).Length == 1);
    }

    [Fact]
    public async Task Kill_AtAnyMomentOfAReload_LeavesOneThatStarts()
    {
        string Yaml(int n) =>
            LocalProgram.Quiet($"routes: {{ a: {{ match: /a, respond: {{ body: \"{n} {new string('x', 200_000)}\" }} }} }}");
        var root = _config.Write("gateway.yaml", Yaml(0));
        await RunOnceAsync("/a", null);
        var random = new Random(1);
        for (var round = 0; round < 3; round++)
        {
            await using var victim = await GatewayProcess.StartInAsync(_config.Path, new ProcessSettings { Arguments = [Option] });
            for (var n = 1; n <= 5; n++)
            {
                await File.WriteAllTextAsync(root, Yaml((round * 100) + n), None);
                victim.Signal(SigHup);
                await Task.Delay(random.Next(0, 40), None); // the moment is what is varied
            }

            victim.Signal(SigKill);
            await victim.ExitCodeAsync();
            var right = await File.ReadAllTextAsync(root, None);
            await File.WriteAllTextAsync(root, "routes: [", None);
            await using (var again = await LocalProgram.StartInAsync(_config.Path, Option))
            {
                Assert.Contains("xxx", await again.Client.GetStringAsync(new Uri("/a", UriKind.Relative), None), StringComparison.Ordinal);
                Assert.Contains("SERVING THE LAST GOOD", again.Errors, StringComparison.Ordinal);
            }

            await File.WriteAllTextAsync(root, right, None);
        }
    }

    private static async Task<int> FallbackAsync(HttpClient admin)
    {
        var metrics = await admin.GetStringAsync(new Uri("/metrics", UriKind.Relative), None);
        var line = metrics.Split('\n').Single(l => l.StartsWith("lintel_config_fallback{", StringComparison.Ordinal));
        return int.Parse(line.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>A gateway that loads its configuration, saves it and stops.</summary>
    private async Task RunOnceAsync(string path, string? expected)
    {
        await using var gateway = await LocalProgram.StartInAsync(_config.Path, Option);
        var answer = await gateway.Client.GetStringAsync(new Uri(path, UriKind.Relative), None);
        Assert.Equal(expected ?? answer, answer);
        gateway.Signal(SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }
}
