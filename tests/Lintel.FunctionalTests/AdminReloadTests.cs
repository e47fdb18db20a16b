using System.Net;
using System.Net.Sockets;
using Lintel.Control.Status;
using Lintel.Hosting;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>The admin address follows the configuration, completely or not at all.</summary>
[AnyTransport]
public sealed class AdminReloadTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Where the search for a port has come to: other processes of tests begin elsewhere.</summary>
    private static int _ports = Environment.ProcessId * 97;

    private static string Config(int port, string body, string more = "", string host = "127.0.0.1") =>
        $$"""
            admin: { address: "http://{{host}}:{{port}}", token: "{{(host == "0.0.0.0" ? "t" : "")}}" }
            routes: { r: { match: "/{**rest}", respond: { body: {{body}} } } }
            {{more}}
            """;

    [Fact]
    public async Task Reload_NamingATakenAdminPort_IsRefusedAndChangesNothing()
    {
        await using var other = await TestService.StartAsync(c => c.Response.WriteAsync("other"));
        await using var gateway = await LocalProgram.StartAsync(Config(0, "one"));
        await gateway.ReloadAsync(Config(other.Port, "two"));
        Assert.Contains(
            $"listen at admin.address: cannot listen on http://127.0.0.1:{other.Port}",
            gateway.Errors,
            StringComparison.Ordinal
        );
        Assert.Equal("one", await BodyAsync(gateway));
        using var admin = new AdminClient(gateway.Admin);
        var reload = (await admin.GetAsync("/api/v1/snapshot"))["lastReload"]!;
        Assert.Equal("refused", (string?)reload["outcome"]);
        Assert.Equal(("listen", "admin.address"), ((string?)reload["problems"]![0]!["code"], (string?)reload["problems"]![0]!["path"]));
        Assert.Equal(2, (int)reload["problems"]![0]!["position"]!["line"]!);
    }

    [Fact]
    public async Task Reload_ToAnotherAddress_OpensItBeforeTheOldOneCloses()
    {
        await using var gateway = await LocalProgram.StartAsync(Config(0, "one"));
        var first = gateway.Admin;
        var second = new UriBuilder(first) { Host = "127.0.0.2" }.Uri; // free there, as it is held here
        using var stop = new CancellationTokenSource();
        var silent = 0;
        var looking = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                // The order counts: the old one first, so that it cannot close between two looks.
                if (!await IsLiveAsync(first) && !await IsLiveAsync(second))
                    silent++;
            }
        });
        await gateway.ReloadAsync(Config(second.Port, "two", host: second.Host));
        await Until.TrueAsync(async () => !await IsLiveAsync(first));
        await stop.CancelAsync();
        await looking;
        Assert.Equal(0, silent);
        Assert.True(await IsLiveAsync(second));
        Assert.Equal("two", await BodyAsync(gateway));
    }

    [Fact]
    public async Task Reload_ToAnotherHostOnTheSamePort_TakesItOver()
    {
        var port = FreePort();
        await using var gateway = await LocalProgram.StartAsync(Config(port, "one"));
        await gateway.ReloadAsync(Config(port, "two", host: "0.0.0.0"));
        using var admin = new AdminClient(gateway.Admin, "t");
        Assert.Equal(HttpStatusCode.OK, (await admin.AskAsync("/api/v1")).Status);
        using var stranger = new AdminClient(gateway.Admin);
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.AskAsync("/api/v1")).Status);
        Assert.Equal("two", await BodyAsync(gateway));
    }

    [Fact]
    public async Task Reload_RefusedByAListener_BringsTheAdminAddressBack()
    {
        await using var taken = await TestService.StartAsync(c => c.Response.WriteAsync("other"));
        var (port, further) = (FreePort(), FreePort());
        await using var gateway = await LocalProgram.StartAsync(Config(port, "one"));
        var listeners = "listeners: { public: \"http://127.0.0.1:0\", second: \"" + taken.Address + "\" }";
        using var admin = new AdminClient(gateway.Admin);

        // The same port at another host was already released; another port was already opened.
        await gateway.ReloadAsync(Config(port, "two", listeners, host: "0.0.0.0"));
        Assert.Equal(HttpStatusCode.OK, (await admin.AskAsync("/api/v1")).Status); // no token: it is the old one
        await gateway.ReloadAsync(Config(further, "two", listeners));
        Assert.Equal(HttpStatusCode.OK, (await admin.AskAsync("/api/v1")).Status);
        Assert.False(await IsLiveAsync(further));
        Assert.Equal("one", await BodyAsync(gateway));
    }

    [Fact]
    public async Task Reload_OfTheTokenAlone_KeepsConnectionsAndTakesTheNewOne()
    {
        static string With(string token) => $"admin: {{ address: \"http://127.0.0.1:0\", token: \"{token}\" }}\nroutes: {{}}";
        await using var gateway = await LocalProgram.StartAsync(With("one"));
        using var client = await RawClient.ConnectAsync(gateway.Admin);
        Assert.Equal(200, (await client.GetAsync("/api/v1", "Authorization: Bearer one\r\n")).Status);
        await gateway.ReloadAsync(With("two"));
        Assert.Equal(401, (await client.GetAsync("/api/v1", "Authorization: Bearer one\r\n")).Status);
        Assert.Equal(200, (await client.GetAsync("/api/v1", "Authorization: Bearer two\r\n")).Status);
    }

    [Fact]
    public async Task Reload_TurningTheAddressOffAndOn_Follows()
    {
        var port = FreePort();
        await using var gateway = await LocalProgram.StartAsync(Config(port, "one"));
        await gateway.ReloadAsync("admin: { enabled: false }\nroutes: { r: { match: \"/{**rest}\", respond: { body: two } } }");
        await Until.TrueAsync(async () => !await IsLiveAsync(port));
        Assert.Equal("two", await BodyAsync(gateway));
        await gateway.ReloadAsync(Config(port, "three"));
        Assert.True(await IsLiveAsync(port));
    }

    [Fact]
    public async Task Start_WithTakenAdminAndListenerPorts_TellsBoth()
    {
        await using var taken = await TestService.StartAsync(c => Task.CompletedTask);
        await using var other = await TestService.StartAsync(c => Task.CompletedTask);
        using var folder = new ConfigFolder();
        var file = folder.Write(
            "gateway.yaml",
            $"listeners: {{ public: \"{taken.Address}\" }}\nadmin: {{ address: \"{other.Address}\" }}\nroutes: {{}}"
        );
        var (code, _, errors) = await LocalProgram.RunAsync("run", file);
        Assert.Equal(2, code);
        Assert.Contains($"{file}:1:", errors, StringComparison.Ordinal);
        Assert.Contains("listen at listeners.public", errors, StringComparison.Ordinal);
        Assert.Contains($"{file}:2:19: listen at admin.address", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Applying_WhereOneRefuses_RollsTheOthersBackInTheOppositeOrder()
    {
        await using var gateway = await InProcessGateway.StartAsync("routes: { a: { match: /a, respond: { body: one } } }");
        var steps = new List<string>();
        var refuses = true;
        var config = gateway.Gateway.Config;
        gateway.Gateway.Applying += (change, _) => Take(change, "first");
        gateway.Gateway.Applying += (change, _) => Take(change, "second");
        gateway.Gateway.Applying += (change, _) =>
        {
            Assert.NotSame(config, change.Config);
            Assert.Same(config, gateway.Gateway.Config); // not live yet
            if (refuses)
                change.Refuse("conflict", ["routes", "a"], "not today", "try tomorrow");
            return Task.CompletedTask;
        };
        var report = await gateway.Gateway.ReloadAsync(None);
        Assert.Equal(["first rolled back", "second rolled back"], steps.Order(StringComparer.Ordinal));
        Assert.Equal(["second rolled back", "first rolled back"], steps);
        var problem = Assert.Single(report.Problems);
        Assert.Equal(("conflict", "routes.a", "not today", "try tomorrow"), (problem.Code, problem.Path, problem.Message, problem.Hint));
        Assert.True(problem.Position.Line > 0);
        Assert.Same(config, gateway.Gateway.Config);

        refuses = false;
        steps.Clear();
        Assert.True((await gateway.Gateway.ReloadAsync(None)).IsValid);
        Assert.Equal(["first committed", "second committed"], steps);

        Task Take(ConfigChange change, string name)
        {
            change.OnCommit(() => Add(name + " committed"));
            change.OnRollback(() => Add(name + " rolled back"));
            return Task.CompletedTask;
        }

        Task Add(string step)
        {
            steps.Add(step);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Applying_WhereAHandlerFails_RefusesAndGoesOn()
    {
        await using var gateway = await InProcessGateway.StartAsync("routes: {}");
        var rolledBack = false;
        var fails = true;
        gateway.Gateway.Applying += (change, _) =>
        {
            change.OnRollback(() => throw new InvalidOperationException("cannot go back"));
            change.OnRollback(() =>
            {
                rolledBack = true;
                return Task.CompletedTask;
            });
            change.OnCommit(() => throw new InvalidOperationException("cannot go on"));
            return fails ? throw new InvalidOperationException("out of order") : Task.CompletedTask;
        };
        var problem = Assert.Single((await gateway.Gateway.ReloadAsync(None)).Problems);
        Assert.Equal(("internal", "the change could not be applied: out of order"), (problem.Code, problem.Message));
        Assert.True(rolledBack);
        Assert.Contains(gateway.Log, l => l.Contains("cannot go back", StringComparison.Ordinal));
        fails = false;
        Assert.True((await gateway.Gateway.ReloadAsync(None)).IsValid);
        Assert.Contains(gateway.Log, l => l.Contains("cannot go on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Readiness_WithAReasonAdded_IsLostUntilTheReasonIsGone()
    {
        await using var gateway = await InProcessGateway.StartAsync("routes: {}");
        string? reason = "the cache is cold";
        var entry = gateway.Gateway.AddReadiness(() => reason);
        using var other = gateway.Gateway.AddReadiness(() => null);
        Assert.Equal(["the cache is cold"], gateway.Gateway.NotReadyReasons);
        reason = null;
        Assert.Empty(gateway.Gateway.NotReadyReasons);
        reason = "again";
        Assert.Equal(["again"], gateway.Gateway.Status.NotReadyReasons);
        entry.Dispose();
        Assert.Empty(gateway.Gateway.NotReadyReasons);
    }

    /// <summary>
    /// A free port, for tests that must know it before it is bound. Not from the ephemeral range: the system might assign it to another
    /// process in the meantime.
    /// </summary>
    private static int FreePort()
    {
        while (true)
        {
            var port = 20_000 + (int)((uint)Interlocked.Increment(ref _ports) % 10_000);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it; the next one then.
            }
        }
    }

    private static Task<string> BodyAsync(LocalProgram gateway) => gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);

    private static Task<bool> IsLiveAsync(int port) => IsLiveAsync(new Uri($"http://127.0.0.1:{port}"));

    private static async Task<bool> IsLiveAsync(Uri admin)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = GatewayProcess.Patience };
        try
        {
            using var response = await client.GetAsync(new Uri(admin, "/health/live"), None);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
