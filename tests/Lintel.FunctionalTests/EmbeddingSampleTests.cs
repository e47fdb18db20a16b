using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>
/// The steps of the README of <c>samples/embedding</c> work as written, and the guide shows the sample's own lines.
/// </summary>
[AnyTransport]
public sealed partial class EmbeddingSampleTests(EmbeddingSampleTests.SampleShop shop) : IClassFixture<EmbeddingSampleTests.SampleShop>
{
    private static readonly string Root = GatewayProcess.Repository;

    [Theory]
    [InlineData("yaml")]
    [InlineData("configuration")]
    [InlineData("code")]
    public async Task Commands_OfTheReadme_Work(string variant)
    {
        var answers = new List<string>();
        using var program = Start(Blocks[0][1].Replace(" yaml ", $" {variant} ", StringComparison.Ordinal));
        try
        {
            await shop.ListensAsync();
            foreach (var command in Blocks[1])
                answers.Add(await AskAsync(command));
        }
        finally
        {
            program.Kill(entireProcessTree: true);
            await program.WaitForExitAsync();
        }

        Assert.Equal("the program's own endpoint", answers[0]);
        Assert.Contains("\"name\":\"김서연\"", answers[1], StringComparison.Ordinal);
        var order = variant == "configuration" ? @"segment;s=200;d=\d+, user;s=200;d=\d+" : @"user;s=200;d=\d+, segment;s=200;d=\d+"; // .NET's configuration sorts its keys
        Assert.Matches($@"\nComposition: {order}\r", answers[2]);
        Assert.EndsWith(
            """{"holder":"김서연","kind":"Regular customer","perks":[]}""",
            Regex.Unescape(answers[2]),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Guide_ShowsTheSample()
    {
        var guide = await File.ReadAllTextAsync(Path.Combine(Root, "docs/guides/embedding.md"), CancellationToken.None);
        var sample = string.Join(
            '\n',
            (await File.ReadAllTextAsync(Path.Combine(Root, "samples/embedding/Card.cs"), CancellationToken.None))
                .Split('\n')
                .Select(l => l.Trim())
        );
        var function = Regex.Match(guide, "```csharp\n(public static Card Of.+?)```", RegexOptions.Singleline).Groups[1].Value;
        Assert.Contains(string.Join('\n', function.Split('\n').Select(l => l.Trim())).Trim(), sample, StringComparison.Ordinal);
        foreach (var line in Regex.Match(guide, "Calls = new\\(\\)\n(.+?)\n    },", RegexOptions.Singleline).Groups[1].Value.Split('\n'))
            Assert.Contains(line.Trim(), sample, StringComparison.Ordinal);
    }

    /// <summary>The README's commands: those that start programs, and those that ask.</summary>
    private static List<string[]> Blocks { get; } =
    [
        .. Fence()
            .Matches(File.ReadAllText(Path.Combine(Root, "samples/embedding/README.md")))
            .Select(m => m.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
    ];

    /// <summary>As <c>dotnet run</c> does, but for the build, which the test's own build has made.</summary>
    private static Process Start(string command)
    {
        var run = Run().Match(command);
        Assert.True(run.Success, command);
        var program =
            run.Groups[1].Value == "samples/shop"
                ? $"Shop/{GatewayProcess.Configuration}/Lintel.Samples.Shop.dll"
                : $"Embedding/{GatewayProcess.Configuration}/Lintel.Samples.Embedding.dll";
        var process = Process.Start(
            new ProcessStartInfo("dotnet", [Path.Combine(Root, "artifacts/bin", program), .. run.Groups[2].Value.Split(' ')])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        return process;
    }

    /// <summary>Runs a command of the README, once both programs listen: curl itself waits for that.</summary>
    private static async Task<string> AskAsync(string command)
    {
        var (code, output, errors) = await Protocols.Command.RunAsync(
            "bash",
            "-c",
            command.Replace("curl ", "curl -sS --retry 60 --retry-delay 1 --retry-all-errors --fail ", StringComparison.Ordinal)
        );
        Assert.True(code == 0, $"{command}: exit code {code}, {errors}");
        return output;
    }

    /// <summary>The shop that all variants ask.</summary>
    public sealed class SampleShop : IAsyncDisposable
    {
        private readonly Process _process = Start(Blocks[0][0]);

        public async ValueTask DisposeAsync()
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        /// <summary>Waits until it does: the composing program would tell that it does not.</summary>
        public Task ListensAsync() => Until.TrueAsync(() => !_process.HasExited && Answers());

        private static bool Answers()
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, 5101);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }
    }

    [GeneratedRegex("^```bash\\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("^dotnet run --project (samples/\\w+) -c Release -- (.+)$")]
    private static partial Regex Run();
}
