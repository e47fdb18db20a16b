using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>
/// What is in <c>deploy/</c>, as far as it can be seen without Docker and without systemd as process 1: with bubblewrap, the same kernel
/// features.
/// </summary>
[AnyTransport]
public sealed partial class ContainerTests
{
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly string Root = GatewayProcess.Repository;

    private static readonly string Dockerfile = File.ReadAllText(Path.Combine(Root, "deploy/docker/Dockerfile"));

    /// <summary>
    /// Read-only root, a user without rights, process 1 of a PID namespace of its own, the environment that the image sets.
    /// </summary>
    private static readonly string[] Container =
    [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--as-pid-1",
        "--uid",
        "1654",
        "--gid",
        "1654",
        "--cap-drop",
        "ALL",
        "--new-session",
        "--die-with-parent",
        "--clearenv",
        "--setenv",
        "PATH",
        "/usr/local/bin:/usr/bin:/bin",
        "--setenv",
        "DOTNET_EnableDiagnostics",
        "0",
    ];

    [Fact]
    public async Task ProcessOne_InAReadOnlyRootWithoutRights_ServesAndDrains()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await release.Task;
            await c.Response.WriteAsync("whole");
        });
        using var state = new ConfigFolder();
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(state.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """,
            settings: new ProcessSettings
            {
                Wrapper = [.. Container, "--bind", state.Path, state.Path],
                Arguments = ["--fallback-last-good=" + state.Path],
            }
        );
        Assert.Single(Directory.GetFiles(state.Path));
        var (code, output, _) = await GatewayProcess.RunAsync(
            new ProcessSettings { Wrapper = Container },
            "health",
            gateway.Admin.ToString()
        );
        Assert.Equal((0, "{\"status\":\"ready\",\"reasons\":[]}"), (code, output.Trim()));

        var child = int.Parse(
            (await File.ReadAllTextAsync($"/proc/{gateway.Id}/task/{gateway.Id}/children", None)).Trim(),
            CultureInfo.InvariantCulture
        );
        var status = await File.ReadAllTextAsync($"/proc/{child}/status", None);
        Assert.Matches(@"NSpid:\t\d+\t1\n", status);
        Assert.Matches(@"CapEff:\t0+\n", status);

        var answer = gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await arrived.Task.InTimeAsync();
        GatewayProcess.Signal(child, SigTerm);
        await Until.TrueAsync(() => Refuses(gateway.Address));
        release.SetResult();
        Assert.Equal("whole", await answer);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Fact]
    public async Task StandardStreams_ThatAreGone_AreNotMissed()
    {
        // Input from nowhere, output to a reader that has left.
        await using var gateway = await GatewayProcess.StartAsync(
            "routes: { r: { match: /x, respond: { body: hi } } }",
            settings: new ProcessSettings { Wrapper = ["bash", "-c", "exec \"$@\" </dev/null > >(exec true)", "bash"] }
        );
        for (var n = 0; n < 20; n++)
            Assert.Equal("hi", await gateway.Client.GetStringAsync(new Uri("/x", UriKind.Relative), None));
        GatewayProcess.Signal(gateway.Id, SigTerm);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    /// <summary>
    /// With the files that the Dockerfile copies and nothing else of the repository, mounted at the repository's path: the outputs
    /// of the tests' build are reused, and only missing ones are compiled.
    /// </summary>
    [Fact]
    public async Task Dockerfile_PublishCommand_YieldsAProgramThatRuns()
    {
        using var context = new ConfigFolder();
        foreach (var source in Copies().SelectMany(c => c.Sources).Concat(Outputs()))
            CopyInto(context.Path, source);

        var command = Assert
            .Single(PublishLine().Matches(Dockerfile))
            .Groups[1]
            .Value.Replace("-o /app", "-o " + Path.Combine(Root, "app"), StringComparison.Ordinal);
        string[] line = ["--dev-bind", "/", "/", "--bind", context.Path, Root, "--chdir", Root, "bash", "-c", command];
        var start = new ProcessStartInfo("bwrap", line) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        // Docker's word for it
        start.Environment["TARGETARCH"] = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
        start.Environment["UseSharedCompilation"] = "false"; // no server of the compiler is left behind
        start.Environment["RunAnalyzers"] = "false"; // they have seen these files in the build
        using (var publish = Process.Start(start)!)
        {
            var output = publish.StandardOutput.ReadToEndAsync();
            var errors = publish.StandardError.ReadToEndAsync();
            using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(8)); // other tests have the cores too
            await publish.WaitForExitAsync(deadline.Token);
            Assert.True(publish.ExitCode == 0, await output + await errors);
        }

        var entry = Regex.Match(Dockerfile, "ENTRYPOINT \\[\"dotnet\", \"/app/(.*)\"\\]").Groups[1].Value;
        var program = Path.Combine(context["app"], entry);
        using (var image = new PEReader(File.OpenRead(program)))
            Assert.True(image.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0, "the program is not compiled beforehand");
        var (code, version, _) = await GatewayProcess.RunAsync(new ProcessSettings { Wrapper = Container, Program = program }, "--version");
        Assert.Equal((0, "0.1.0"), (code, version.Trim()));
        await using var gateway = await GatewayProcess.StartAsync(
            "routes: { r: { match: /x, respond: { body: hi } } }",
            settings: new ProcessSettings { Wrapper = Container, Program = program }
        );
        Assert.Equal("hi", await gateway.Client.GetStringAsync(new Uri("/x", UriKind.Relative), None));
    }

    [Fact]
    public async Task DeployedConfigurations_AreValid()
    {
        var (code, output, _) = await LocalProgram.RunAsync("validate", Path.Combine(Root, "deploy/docker/gateway.yaml"));
        Assert.Equal((0, "valid"), (code, output.Trim()));
    }

    [Fact]
    public void Dockerfile_CopiesWhatExistsAndItsIgnoreFileLetsThrough()
    {
        var allowed = File.ReadAllLines(Path.Combine(Root, "deploy/docker/Dockerfile.dockerignore"))
            .Where(l => l.StartsWith('!'))
            .Select(l => l[1..].TrimEnd('/'))
            .ToHashSet();
        var copied = Copies().SelectMany(c => c.Sources).Select(s => s.TrimEnd('/')).ToList();
        Assert.NotEmpty(copied);
        Assert.All(copied, s => Assert.True(File.Exists(Path.Combine(Root, s)) || Directory.Exists(Path.Combine(Root, s)), s));
        Assert.Equal(copied.Order(StringComparer.Ordinal), allowed.Order(StringComparer.Ordinal));
        Assert.Contains("\nUSER 1654:1654\n", Dockerfile, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unit_OfSystemd_IsUnderstoodAndHardened()
    {
        using var folder = new ConfigFolder();
        var text = await File.ReadAllTextAsync(Path.Combine(Root, "deploy/systemd/lintel.service"), None);
        // must exist to be verified
        var unit = folder.Write("lintel.service", text.Replace("/usr/bin/lintel", "/bin/true", StringComparison.Ordinal));
        var (verified, complaints) = await AnalyzeAsync("verify", unit);
        Assert.Equal((0, ""), (verified, complaints.Trim()));
        // 0 to 100, less is better
        var (secure, report) = await AnalyzeAsync("security", "--offline=true", "--threshold=20", "--no-pager", unit);
        Assert.True(secure == 0, report);
        var stop = int.Parse(Regex.Match(text, "(?m)^TimeoutStopSec=(\\d+)s$").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.True(TimeSpan.FromSeconds(stop) > new Config.GatewayConfig().DrainTimeout);
    }

    private static async Task<(int Code, string Output)> AnalyzeAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("systemd-analyze") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync(None);
        await process.WaitForExitAsync(None);
        return (process.ExitCode, output + await errors);
    }

    /// <summary>The files that the build stage copies from the repository.</summary>
    private static IEnumerable<(string[] Sources, string Target)> Copies() =>
        from Match match in CopyLine().Matches(Dockerfile)
        let words = match.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        select (words[..^1], words[^1]);

    /// <summary>The build output of the program and of the projects that it references.</summary>
    private static IEnumerable<string> Outputs() =>
        from folder in Directory.EnumerateDirectories(Path.Combine(Root, "artifacts/obj"))
        let project = Path.GetFileName(folder)
        where Directory.Exists(Path.Combine(Root, "src", project)) || project == "Shop"
        from output in new[] { $"artifacts/obj/{project}", $"artifacts/bin/{project}" }
        select output;

    private static void CopyInto(string target, string source)
    {
        var from = Path.Combine(Root, source);
        if (File.Exists(from))
        {
            Copy(from);
            return;
        }

        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            Copy(file);

        void Copy(string file)
        {
            var to = Path.Combine(target, Path.GetRelativePath(Root, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
    }

    private static bool Refuses(Uri address)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, address.Port);
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    [GeneratedRegex(@"^COPY (?!--)(.*)$", RegexOptions.Multiline)]
    private static partial Regex CopyLine();

    [GeneratedRegex(@"^RUN (dotnet publish .*)$", RegexOptions.Multiline)]
    private static partial Regex PublishLine();
}
