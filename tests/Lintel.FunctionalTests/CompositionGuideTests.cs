using System.Text;
using System.Text.RegularExpressions;
using Lintel.Samples.Shop;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;

namespace Lintel.FunctionalTests;

/// <summary>
/// Every configuration of <c>docs/guides/composition.md</c> is served in front of the sample shop, and every command below it prints what
/// the guide says.
/// </summary>
[AnyTransport]
public sealed partial class CompositionGuideTests : IAsyncLifetime
{
    private static readonly string Guide = File.ReadAllText(Path.Combine(GatewayProcess.Repository, "docs/guides/composition.md"));

    private readonly List<WebApplication> _services = [];
    private readonly Dictionary<string, string> _addresses = [];
    private readonly ConfigFolder _folder = new();

    public async ValueTask InitializeAsync()
    {
        foreach (
            var (name, usual) in ((string, string)[])
                [("users", "http://127.0.0.1:5101"), ("orders", "http://127.0.0.1:5201"), ("catalog", "http://127.0.0.1:5301")]
        )
        {
            var service = ShopService.Create(name, "http://127.0.0.1:0");
            _services.Add(service);
            await service.StartAsync();
            _addresses[usual] = service.Urls.First();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services)
            await service.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Examples_OfTheGuide_DoWhatItSays()
    {
        var blocks = Fence()
            .Matches(Guide)
            .Select(m => (Kind: m.Groups[1].Value, Text: m.Groups[2].Value))
            .Where(b => b.Kind is "yaml" or "console")
            .ToList();
        Assert.True(
            blocks.Count(b => b.Kind == "yaml") > 12 && blocks.Count(b => b.Kind == "console") > 12,
            "the guide has lost its examples"
        );
        var common = blocks[0].Text[..blocks[0].Text.IndexOf("routes:", StringComparison.Ordinal)];
        InProcessGateway? gateway = null;
        try
        {
            foreach (var (kind, text) in blocks)
            {
                if (kind == "yaml")
                {
                    if (gateway is not null)
                        await gateway.DisposeAsync();
                    gateway = await InProcessGateway.StartAsync(
                        Here(text.StartsWith("services:", StringComparison.Ordinal) ? text : common + text, "http://127.0.0.1:0")
                    );
                    continue;
                }

                foreach (var (command, expected) in Commands(text))
                    await CheckAsync(command, expected, gateway!.Address.GetLeftPart(UriPartial.Authority));
            }
        }
        finally
        {
            if (gateway is not null)
                await gateway.DisposeAsync();
        }
    }

    private async Task CheckAsync(string command, string expected, string gateway)
    {
        var (code, output, errors) = await Protocols.Command.RunAsync("bash", "-c", $"cd {_folder.Path} && {Here(command, gateway)}");
        Assert.True(code == 0, $"{command}: exit code {code}, {errors}");
        var actual = Varying(output.ReplaceLineEndings("\n"));
        var pattern = "^" + Regex.Escape(Varying(expected).Trim('\n')).Replace("…", ".*?", StringComparison.Ordinal) + "$";
        Assert.True(
            Regex.IsMatch(actual.Trim('\n'), pattern, RegexOptions.Singleline),
            $"{command}\nprints\n{actual}\nand the guide says\n{expected}"
        );
    }

    /// <summary>A command with its subcommands.</summary>
    private static IEnumerable<(string Command, string Expected)> Commands(string block)
    {
        string? command = null;
        var expected = new StringBuilder();
        foreach (var line in block.Split('\n'))
        {
            if (!line.StartsWith("$ ", StringComparison.Ordinal))
            {
                expected.Append(line).Append('\n');
                continue;
            }

            if (command is not null)
                yield return (command, expected.ToString());
            command = line[2..];
            expected.Clear();
        }

        yield return (command!, expected.ToString());
    }

    /// <summary>With the addresses of this test in the place of the usual ones.</summary>
    private string Here(string text, string gateway) =>
        _addresses.Aggregate(text.Replace("http://127.0.0.1:8080", gateway, StringComparison.Ordinal), (t, a) =>
            t.Replace(a.Key, a.Value, StringComparison.Ordinal)
        );

    /// <summary>Without what differs from one time to the next, and is not shown: durations, the date, lengths.</summary>
    private static string Varying(string text) => Duration().Replace(Unshown().Replace(text, ""), ";d=0");

    [GeneratedRegex("^```(\\w+)\\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(";d=[0-9]+")]
    private static partial Regex Duration();

    [GeneratedRegex("^(Date|Content-Length): .*\\n", RegexOptions.Multiline)]
    private static partial Regex Unshown();
}
