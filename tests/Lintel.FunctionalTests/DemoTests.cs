using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Lintel.FunctionalTests;

/// <summary><c>lintel demo</c>, as a newcomer uses it: every line that it prints works when pasted.</summary>
[Collection(nameof(Alone))]
public sealed partial class DemoTests
{
    [Fact]
    public async Task Demo_EveryPrintedCommand_Works()
    {
        var start = new ProcessStartInfo("dotnet", [GatewayProcess.Program, "demo"]) { RedirectStandardError = true, RedirectStandardOutput = true };
        using var demo = Process.Start(start)!;
        try
        {
            var output = demo.StandardOutput.ReadToEndAsync();
            var guide = new List<string>();
            while (await demo.StandardError.ReadLineAsync() is { } line)
            {
                guide.Add(line);
                if (line.Contains("Ctrl+C", StringComparison.Ordinal))
                    break;
            }

            var commands = guide.Select(l => Command().Match(l)).Where(m => m.Success).Select(m => m.Groups[1].Value).ToList();
            Assert.True(commands.Count >= 5, "the demo printed: " + string.Join('\n', guide));
            foreach (var command in commands)
            {
                var (code, answer) = await ShellAsync(command);
                Assert.True(code == 0 && answer.Length > 0, $"{command}: exit code {code}, answer: {answer}");
                Assert.DoesNotContain("HTTP/1.1 5", answer, StringComparison.Ordinal);
            }

            Assert.Contains("\"id\":42", (await ShellAsync(commands[0])).Answer, StringComparison.Ordinal);
        }
        finally
        {
            demo.Kill(entireProcessTree: true);
            await demo.WaitForExitAsync();
        }
    }

    private static async Task<(int Code, string Answer)> ShellAsync(string command)
    {
        using var shell = Process.Start(new ProcessStartInfo("bash", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var answer = await shell.StandardOutput.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
        await shell.WaitForExitAsync(deadline.Token);
        return (shell.ExitCode, answer);
    }

    [GeneratedRegex(@"^ +(curl .+?)(?: {2,}# .*|   # .*)?$")]
    private static partial Regex Command();
}
