using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Lintel.FunctionalTests;

/// <summary>The executable with a stderr pipe that is held open and not read.</summary>
[AnyTransport]
public sealed partial class UnreadLogTests
{
    /// <summary>Each reload reports 200 problems, some 25 KB: five fill the pipe twice over.</summary>
    private const int Reloads = 5;

    [Fact]
    public async Task Stderr_ThatNobodyReads_HoldsUpNeitherRequestsNorReloadsNorTheEnd()
    {
        var folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        var file = Path.Combine(folder, "gateway.yaml");
        await File.WriteAllTextAsync(file, GatewayProcess.WithPorts("routes: { r: { match: \"/{**rest}\", respond: { body: one } } }"));
        using var process = Process.Start(
            new ProcessStartInfo("dotnet", [GatewayProcess.Program, "run", file])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            var (address, admin) = await AddressesAsync(process);
            using var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero })
            {
                Timeout = GatewayProcess.Patience,
            };
            var mistakes = string.Concat(
                Enumerable.Range(0, 200).Select(i => $"a-key-that-nobody-knows-and-that-is-as-long-as-this-one-{i:D4}: 1\n")
            );
            var seen = await LastReloadAsync(client, admin);
            for (var i = 0; i < Reloads; i++)
            {
                await File.WriteAllTextAsync(file, $"# {i}\n{mistakes}");
                Assert.Equal(0, Kill(process.Id, 1));
                var before = seen;
                while ((seen = await LastReloadAsync(client, admin)) == before)
                    await Task.Delay(10);
            }

            Assert.Equal("one", await client.GetStringAsync(address));
            await File.WriteAllTextAsync(file, GatewayProcess.WithPorts("routes: { r: { match: \"/{**rest}\", respond: { body: two } } }"));
            Assert.Equal(0, Kill(process.Id, 1));
            Assert.Equal(0, Kill(process.Id, 15));
            using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
            await process.WaitForExitAsync(deadline.Token);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<(Uri Address, Uri Admin)> AddressesAsync(Process process)
    {
        Uri? address = null;
        while (await process.StandardError.ReadLineAsync().WaitAsync(GatewayProcess.Patience) is { } line)
        {
            if (Regex.Match(line, @"^  (public|admin) +(http\S+)") is not { Success: true } found)
                continue;
            if (found.Groups[1].Value == "admin")
                return (address!, new Uri(found.Groups[2].Value));
            address = new Uri(found.Groups[2].Value);
        }

        throw new InvalidOperationException("it did not start");
    }

    private static async Task<string?> LastReloadAsync(HttpClient client, Uri admin) =>
        (string?)JsonNode.Parse(await client.GetStringAsync(new Uri(admin, "/api/v1/snapshot")))!["lastReload"]!["at"];

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
