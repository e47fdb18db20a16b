using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary><c>lintel demo</c>, as a newcomer uses it: every line that it prints works when pasted.</summary>
[Collection(nameof(Alone))]
[AnyTransport]
public sealed partial class DemoTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Demo_EveryPrintedCommand_Works()
    {
        using var demo = Start();
        try
        {
            _ = demo.StandardOutput.ReadToEndAsync(CancellationToken.None);
            var guide = await ReadGuideAsync(demo);
            var commands = guide.Select(l => Command().Match(l)).Where(m => m.Success).Select(m => m.Groups[1].Value).ToList();
            Assert.True(commands.Count >= 16, "the demo printed: " + string.Join('\n', guide));
            var answers = new List<(string Command, string Answer)>();
            foreach (var command in commands)
            {
                var (code, answer) = await ShellAsync(command);
                Assert.True(code == 0 && answer.Length > 0, $"{command}: exit code {code}, answer: {answer}");
                Assert.DoesNotContain("HTTP/1.1 5", answer, StringComparison.Ordinal);
                answers.Add((command, answer));
            }

            Assert.Contains("\"id\":42", answers[0].Answer, StringComparison.Ordinal);
            CheckCompositions(answers);
            await CheckTruthsAsync(guide);
        }
        finally
        {
            demo.Kill(entireProcessTree: true);
            await demo.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task Page_InABrowser_DrawsPartsAsTheyComeAndSaysWhatFailed()
    {
        using var demo = Start();
        try
        {
            _ = demo.StandardOutput.ReadToEndAsync(CancellationToken.None);
            await ReadGuideAsync(demo);
            var (code, output, errors) = await Protocols.Command.RunAsync(
                "node",
                Path.Combine(Protocols.Command.NodeFolder, "shop.mjs"),
                "/usr/bin/chromium",
                "http://127.0.0.1:8080/"
            );
            Assert.True(code == 0, errors);
            var seen = JsonNode.Parse(output)!;
            Assert.Empty(seen["errors"]!.AsArray());

            Assert.Equal("김서연", (string?)seen["well"]!["who"]);
            Assert.Equal(6, (int)seen["well"]!["orders"]!);
            Assert.True((int)seen["well"]!["pictures"]! >= 6);
            Assert.Empty(seen["well"]!["notes"]!.AsArray());
            Assert.All(seen["well"]!["states"]!.AsArray(), s => Assert.Equal("good", (string?)s));

            // The customer was there while the orders were waited for.
            var times = seen["slow"]!["times"]!.AsArray().Select(t => (int)t!).ToList();
            Assert.True(times[0] < 1000 && times[1] >= 1000, $"customer after {times[0]} ms, orders after {times[1]} ms");
            Assert.Contains("orders;err=response-timeout", (string?)seen["slow"]!["head"], StringComparison.Ordinal);

            Assert.Equal(6, (int)seen["failing"]!["orders"]!);
            Assert.Contains("last good answer", (string?)seen["failing"]!["notes"]![0], StringComparison.Ordinal);
            Assert.Equal("warn", (string?)seen["failing"]!["states"]![2]);
            Assert.Contains("src=stale", (string?)seen["failing"]!["head"], StringComparison.Ordinal);

            Assert.Equal(0, (int)seen["partial"]!["orders"]!);
            Assert.Contains("stands in for it", (string?)seen["partial"]!["notes"]![0], StringComparison.Ordinal);
            Assert.Equal("orders", (string?)seen["partial"]!["document"]!["_errors"]![0]!["call"]);

            Assert.Equal("", (string?)seen["nobody"]!["who"]);
            Assert.Contains("user", (string?)seen["nobody"]!["notes"]![0], StringComparison.Ordinal);
            Assert.Contains("There is no user 777", (string?)seen["nobody"]!["document"]!["detail"], StringComparison.Ordinal);
            Assert.Contains("404: ", (string?)seen["nobody"]!["notes"]![0], StringComparison.Ordinal);
            Assert.Contains("There is no user 777", (string?)seen["nobody"]!["notes"]![0], StringComparison.Ordinal);

            Assert.Empty(seen["again"]!["notes"]!.AsArray());
            Assert.Equal(9, (int)seen["phone"]!["document"]!["orderCount"]!);
        }
        finally
        {
            demo.Kill(entireProcessTree: true);
            await demo.WaitForExitAsync();
        }
    }

    [Fact]
    public async Task Page_InABrowser_LogsUsersInAndOut()
    {
        using var demo = Start();
        try
        {
            _ = demo.StandardOutput.ReadToEndAsync(CancellationToken.None);
            await ReadGuideAsync(demo);
            var (code, output, errors) = await Protocols.Command.RunAsync(
                "node",
                Path.Combine(Protocols.Command.NodeFolder, "login.mjs"),
                "/usr/bin/chromium",
                "http://127.0.0.1:8080/"
            );
            Assert.True(code == 0, errors);
            var seen = JsonNode.Parse(output)!;
            Assert.Equal("""{"account":"Log in","statuses":[401,401,200]}""", seen["nobody"]!.ToJsonString());
            Assert.Equal("김서연 customer Log out", (string?)seen["customer"]!["account"]);
            Assert.Equal("[200,403,200]", seen["customer"]!["statuses"]!.ToJsonString());
            Assert.Equal("""{"account":"Log in","statuses":[401,401,200]}""", seen["again"]!.ToJsonString());
            Assert.Equal("""{"account":"Ada support Log out","statuses":[200,200,200]}""", seen["staff"]!.ToJsonString());
        }
        finally
        {
            demo.Kill(entireProcessTree: true);
            await demo.WaitForExitAsync();
        }
    }

    /// <summary>The text of the lines beside their effect.</summary>
    private async Task CheckTruthsAsync(List<string> guide)
    {
        var services = new List<string>();
        for (var i = 0; i < 2; i++)
            services.Add(
                Regex
                    .Match((await ShellAsync("curl -si 'http://127.0.0.1:8080/api/orders?user=42'")).Answer, "X-Service: (.+)\r")
                    .Groups[1]
                    .Value
            );
        Assert.Equal(["orders@5201", "orders@5202"], services.Order(StringComparer.Ordinal));
        Assert.Equal(
            4,
            Regex
                .Match((await ShellAsync("curl -si http://127.0.0.1:8080/api/dashboard/42")).Answer, "\nComposition: (.+)\r")
                .Groups[1]
                .Value.Split(", ")
                .Length
        );

        var file = _folder["lintel-demo.yaml"];
        Assert.Contains(guide, l => l.Contains("config       " + file, StringComparison.Ordinal));
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file, CancellationToken.None)).Replace("body: pong", "body: edited", StringComparison.Ordinal),
            CancellationToken.None
        );
        var (code, _) = await ShellAsync(
            "for i in $(seq 200); do curl -s http://127.0.0.1:8080/ping | grep -q edited && exit 0; sleep 0.05; done; exit 1"
        );
        Assert.Equal(0, code);
    }

    private Process Start() =>
        Process.Start(
            new ProcessStartInfo("dotnet", [GatewayProcess.Program, "demo"])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
                WorkingDirectory = _folder.Path,
            }
        )!;

    private static async Task<List<string>> ReadGuideAsync(Process demo)
    {
        var guide = new List<string>();
        while (await demo.StandardError.ReadLineAsync() is { } line)
        {
            guide.Add(line);
            if (line.Contains("Ctrl+C", StringComparison.Ordinal))
                break;
        }

        return guide;
    }

    /// <summary>The results promised by the lines about composition, in their order.</summary>
    private static void CheckCompositions(List<(string Command, string Answer)> answers)
    {
        var dashboards = answers
            .Where(a => a.Command.Contains("-i http://127.0.0.1:8080/api/dashboard", StringComparison.Ordinal))
            .Select(a => a.Answer)
            .ToList();
        Assert.Equal(3, dashboards.Count);
        Assert.Matches(@"\nComposition: user;s=200;d=\d+, segment;s=200;d=\d+, orders;s=200;d=\d+, products;n=17;d=\d+", dashboards[0]);
        Assert.Contains("\"orders\":[{\"id\":342,", dashboards[0], StringComparison.Ordinal);
        Assert.DoesNotContain("_errors", dashboards[0], StringComparison.Ordinal);

        Assert.Matches(@"\nComposition: .*orders;s=503;err=call-unavailable;d=\d+;src=stale", dashboards[1]);
        Assert.Contains("\"orders\":[{\"id\":342,", dashboards[1], StringComparison.Ordinal);
        Assert.Contains("\"call\":\"orders\",\"pointer\":\"/orders\",\"source\":\"stale\"", dashboards[1], StringComparison.Ordinal);

        Assert.Matches(@"\nComposition: .*orders;s=503;err=call-unavailable;d=\d+;src=value", dashboards[2]);
        Assert.Contains("\"orders\":[],\"_errors\":[{", dashboards[2], StringComparison.Ordinal);

        var phone = Assert.Single(answers, a =>
            a.Command.Contains("ios", StringComparison.Ordinal) && a.Command.Contains("dashboard", StringComparison.Ordinal)
        );
        Assert.Equal("""{"name":"김서연","orderCount":9,"latest":{"id":342,"status":"delivered"}}""", phone.Answer);

        var stream = Assert
            .Single(answers, a => a.Command.Contains("/api/stream/", StringComparison.Ordinal))
            .Answer.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["user", "segment", "orders", "products", "_composition"],
            stream.Select(l => JsonNode.Parse(l)!.AsObject().Single().Key).Where(k => k != "_errors")
        );

        // Both instances took each turn of the knob.
        var knobs = answers
            .Where(a => a.Command.Contains("/knobs/orders", StringComparison.Ordinal))
            .Select(a => JsonNode.Parse(a.Answer)!)
            .ToList();
        Assert.Equal(
            [1.0, 1.0, 0.0, 0.0],
            knobs.SelectMany(k => new[] { (double)k["first"]!["failureRatio"]!, (double)k["second"]!["failureRatio"]! })
        );
    }

    private static async Task<(int Code, string Answer)> ShellAsync(string command)
    {
        using var shell = Process.Start(
            new ProcessStartInfo("bash", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var answer = await shell.StandardOutput.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
        await shell.WaitForExitAsync(deadline.Token);
        return (shell.ExitCode, answer);
    }

    [GeneratedRegex(@"^ +(curl .+?)(?: {2,}# .*|   # .*)?$")]
    private static partial Regex Command();
}
