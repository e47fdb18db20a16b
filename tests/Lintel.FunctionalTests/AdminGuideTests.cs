using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Lintel.FunctionalTests;

/// <summary>The steps of <c>docs/guides/admin.md</c> work as written.</summary>
[AnyTransport]
public sealed partial class AdminGuideTests
{
    private static readonly string Guide = File.ReadAllText(Path.Combine(GatewayProcess.Repository, "docs/guides/admin.md"));

    [Fact]
    public async Task Commands_OfTheGuide_DoWhatItSays()
    {
        Environment.SetEnvironmentVariable("LINTEL_ADMIN_TOKEN", "guide"); // inherited by the gateways and by curl
        var configurations = Fence().Matches(Guide).Where(m => m.Groups[1].Value == "yaml").Select(m => m.Groups[2].Value).ToList();
        Assert.Equal(2, configurations.Count);
        await using var open = await LocalProgram.StartAsync(AnyPort(configurations[0]));
        await using var guarded = await LocalProgram.StartAsync(AnyPort(configurations[1]));
        var commands = Fence()
            .Matches(Guide)
            .Where(m => m.Groups[1].Value == "bash")
            .SelectMany(m => m.Groups[2].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            .ToList();
        Assert.True(commands.Count > 15, $"{commands.Count} commands");
        foreach (var command in commands)
        {
            var (code, output) = await RunAsync(
                command
                    .Replace("http://127.0.0.1:9901", Text(open.Admin), StringComparison.Ordinal)
                    .Replace("http://127.0.0.1:9902", Text(guarded.Admin), StringComparison.Ordinal)
            );
            Assert.True(code == 0, $"{command}: exit code {code}");
            if (Prints().Match(command) is { Success: true } prints)
                Assert.Equal(prints.Groups[1].Value, output.Trim());
            else
                Assert.NotEqual("", output);
        }
    }

    private static string AnyPort(string yaml) =>
        Port().Replace(yaml.Replace("http://127.0.0.1:8080", "http://127.0.0.1:0", StringComparison.Ordinal), "http://127.0.0.1:0");

    private static string Text(Uri address) => address.GetLeftPart(UriPartial.Authority);

    private static async Task<(int Code, string Output)> RunAsync(string command)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(command);
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        return (process.ExitCode, output);
    }

    [GeneratedRegex("^```(\\w+)\\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("# prints (.*)$")]
    private static partial Regex Prints();

    [GeneratedRegex("http://127\\.0\\.0\\.1:990[12]")]
    private static partial Regex Port();
}
