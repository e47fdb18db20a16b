using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Lintel.Cli;
using Lintel.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lintel.FunctionalTests;

/// <summary>Startup, and what the program reports about itself later.</summary>
[EveryTransport]
public sealed class StartTests
{
    private const int SigHup = 1;

    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Listener_ThatIsOpen_HasSomethingToServe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix sockets");
        using var folder = new ConfigFolder();
        var socket = folder["s"];
        var more = string.Join(", ", Enumerable.Range(0, 20).Select(i => $"more{i}: \"http://127.0.0.1:0\""));
        var file = folder.Write(
            "gateway.yaml",
            $"listeners: {{ first: \"http://unix:{socket}\", {more} }}\nobservability: {{ accessLog: {{ to: {folder["access.log"]} "
                + $"}} }}\nroutes: {{ r: {{ match: \"/{{**rest}}\", respond: {{ body: here }} }} }}"
        );
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLintelServer(file);
        using var host = builder.Build();
        var first = Task.Run(() => AskUntilAnsweredAsync(socket), None);
        await host.StartAsync(None);
        Assert.StartsWith("HTTP/1.1 200 ", await first.InTimeAsync(), StringComparison.Ordinal);
        await host.StopAsync(None);
        Assert.Single(await File.ReadAllLinesAsync(folder["access.log"], None));
    }

    [Fact]
    [AnyTransport]
    public async Task Reload_AskedForBeforeTheGatewayIsThere_WaitsForIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix signals");
        using var folder = new ConfigFolder();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddLintelServer(
            folder.Write(
                "gateway.yaml",
                "listeners: { public: \"http://127.0.0.1:0\" }\nobservability: { accessLog: { to: none } }\nroutes: {}"
            )
        );
        using var host = builder.Build();
        var served = host.Services.GetRequiredService<Lintel.Hosting.Gateway>();
        var reloads = 0;
        var second = new TaskCompletionSource();
        served.Reloaded += _ =>
        {
            if (++reloads == 2)
                second.TrySetResult();
        };
        using var signals = Signals.Begin();
        GatewayProcess.Signal(Environment.ProcessId, SigHup);
        await Task.Yield();
        signals.Attach(host.Services.GetRequiredService<IHostApplicationLifetime>(), served);
        await host.StartAsync(None);
        await second.Task.InTimeAsync(); // the start, and the reload that was asked for before
        await host.StopAsync(None);
    }

    [Fact]
    [AnyTransport]
    public async Task Status_OfARunningGateway_TellsWhetherItServesItsFiles()
    {
        await using var gateway = await LocalProgram.StartAsync("routes: { r: { match: /a, respond: {} } }");
        var (code, output, _) = await LocalProgram.RunAsync("status", gateway.Admin.ToString());
        Assert.True(code == 0, output);
        Assert.Contains("the served configuration matches the files", output, StringComparison.Ordinal);
        await gateway.ReloadAsync("routes: { r: { match: /a, respnd: {} } }");
        (code, output, _) = await LocalProgram.RunAsync("status", gateway.Admin.ToString());
        Assert.Equal(1, code);
        Assert.Contains("unknown-key at routes.r.respnd", output, StringComparison.Ordinal);
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        using var ready = JsonDocument.Parse(await admin.GetStringAsync(new Uri("/health/ready", UriKind.Relative), None));
        Assert.Equal("ready", ready.RootElement.GetProperty("status").GetString());
        Assert.Contains("was refused; problems: ", ready.RootElement.GetProperty("notes")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    [AnyTransport]
    public async Task Validate_WithWarnings_IsStrictOnDemandAndSpeaksToPrograms()
    {
        using var folder = new ConfigFolder();
        var file = folder.Write("gateway.yaml", "services: { s: \"http://127.0.0.1:1\" }\nroutes: { r: { match: /a, respond: {} } }\n");
        var (code, output, _) = await LocalProgram.RunAsync("validate", file);
        Assert.Equal(0, code);
        Assert.Equal(
            $"{file}:1:16: warning unused at services.s: no route uses the service `s`; refer to it in a route, or remove it\nvalid, "
                + $"1 warning\n",
            output
        );
        (code, output, _) = await LocalProgram.RunAsync("validate", "--strict", "--format", "github", file);
        Assert.Equal(1, code);
        Assert.Equal(
            $"::warning file={file},line=1,col=16,title=unused at services.s::no route uses the service `s`; refer to it in a route, or "
                + $"remove it\n",
            output
        );
        (code, output, _) = await LocalProgram.RunAsync("validate", "--format", "sarif", file);
        Assert.Equal(0, code);
        using var sarif = JsonDocument.Parse(output);
        var result = sarif.RootElement.GetProperty("runs")[0].GetProperty("results")[0];
        Assert.Equal(("unused", "warning"), (result.GetProperty("ruleId").GetString(), result.GetProperty("level").GetString()));
        Assert.Equal(
            1,
            result.GetProperty("locations")[0].GetProperty("physicalLocation").GetProperty("region").GetProperty("startLine").GetInt32()
        );
    }

    [Theory]
    [InlineData("0::/a/b\n", "a/pids.max", "256", 256)]
    [InlineData("0::/a/b\n", "pids.max", "100", 100)]
    [InlineData("0::/a/b\n", "a/b/pids.max", "max", 5000)]
    [InlineData("8:cpu,pids:/docker/x\n", "pids/docker/x/pids.max", "64", 64)]
    [InlineData("8:cpu:/docker/x\n", "pids/docker/x/pids.max", "64", 5000)]
    [AnyTransport]
    public void ThreadLimit_OfGroupsAndUser_IsTheLeast(string groups, string file, string limit, long expected)
    {
        using var folder = new ConfigFolder();
        folder.Write("proc/cgroup", groups);
        folder.Write(
            "proc/limits",
            "Limit                     Soft Limit           Hard Limit           Units     \nMax processes             5000          "
                + "       9000                 processes \n"
        );
        folder.Write("groups/" + file, limit + "\n");
        Assert.Equal(expected, ThreadLimit.Read(folder["proc"], folder["groups"], isRoot: false));
        Assert.Equal(expected == 5000 ? null : expected, ThreadLimit.Read(folder["proc"], folder["groups"], isRoot: true));
    }

    private static async Task<string> AskUntilAnsweredAsync(string path)
    {
        while (true)
        {
            try
            {
                using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), None);
                await socket.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8.ToArray(), None);
                var answer = new byte[4096];
                var length = await socket.ReceiveAsync(answer, None);
                if (length > 0)
                    return Encoding.ASCII.GetString(answer, 0, length);
            }
            catch (SocketException)
            {
                await Task.Yield(); // not open yet
            }
        }
    }
}
