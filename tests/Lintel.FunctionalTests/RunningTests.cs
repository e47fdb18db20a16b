using System.Net;
using System.Text.Json;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>The process: starting, reloading, telling about itself, ending.</summary>
[EveryTransport]
public sealed class RunningTests
{
    private const int SigHup = 1;
    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static string Responds(string body, string more = "") =>
        $$"""
            routes: { r: { match: "/{**rest}", respond: { body: {{body}} } } }
            {{more}}
            """;

    [Theory]
    [InlineData("write")]
    [InlineData("rename")]
    [InlineData("link")]
    [AnyTransport]
    public async Task Reload_OnAnyWayToChangeAFile_IsLive(string way)
    {
        await using var gateway = await LocalProgram.StartAsync(Responds("one"));
        var other = Path.Combine(gateway.Folder, "other.yaml");
        var before = gateway.Outcomes();
        var text = LocalProgram.Quiet(Responds("two"));
        switch (way)
        {
            case "write":
                await File.WriteAllTextAsync(gateway.ConfigFile, text, None);
                break;
            case "rename":
                await File.WriteAllTextAsync(other, text, None);
                File.Move(other, gateway.ConfigFile, overwrite: true);
                break;
            case "link":
                await File.WriteAllTextAsync(other, text, None);
                File.Delete(gateway.ConfigFile);
                File.CreateSymbolicLink(gateway.ConfigFile, other);
                break;
        }

        // Between delete and link the file is missing for a moment: that may be reported as a separate, refused change.
        await Until.TrueAsync(async () =>
            gateway.Outcomes() > before && await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None) == "two"
        );
    }

    [Fact]
    [AnyTransport]
    public async Task Reload_OfABrokenFile_ChangesNothingAndSaysWhy()
    {
        await using var gateway = await LocalProgram.StartAsync(Responds("one"));
        await gateway.ReloadAsync("routes: { r: { match: /x, forwrd: a } }");
        Assert.Contains("unknown-key at routes.r.forwrd", gateway.Errors, StringComparison.Ordinal);
        Assert.Contains("did you mean `forward`?", gateway.Errors, StringComparison.Ordinal);
        Assert.Equal("one", await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None));
    }

    [Fact]
    [AnyTransport]
    public async Task Reload_NamingATakenPort_ChangesNothing()
    {
        await using var other = await TestService.StartAsync(c => c.Response.WriteAsync("other"));
        await using var gateway = await LocalProgram.StartAsync(Responds("one"));
        await gateway.ReloadAsync(Responds("two", "listeners: { public: \"http://127.0.0.1:0\", second: \"" + other.Address + "\" }"));
        Assert.Contains("listen at listeners.second", gateway.Errors, StringComparison.Ordinal);
        Assert.Equal("one", await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None));
    }

    [Fact]
    public async Task Reload_OfListeners_OpensAndClosesOnlyWhatChanged()
    {
        await using var gateway = await LocalProgram.StartAsync(Responds("one"));
        using var admin = new AdminClient(gateway.Admin);
        await gateway.ReloadAsync(Responds("two", "listeners: { public: \"http://127.0.0.1:0\", second: \"http://127.0.0.1:0\" }"));
        var bound = (await admin.GetAsync("/api/v1/listeners"))["items"]![1]!["boundAddresses"]!.AsArray().Single();
        var port = new Uri((string)bound!).Port;
        using var second = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        Assert.Equal("two", await second.GetStringAsync(new Uri("/", UriKind.Relative), None));
        await gateway.ReloadAsync(Responds("three"));
        await Until.TrueAsync(() => !TryGet(port));
        Assert.Equal("three", await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None));

        static bool TryGet(int port)
        {
            using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, port);
                return true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Reload_AHundredTimesUnderLoad_LosesNoRequest()
    {
        await using var service = await TestService.StartAsync(c => c.Response.WriteAsync("ok"));
        string Config(int n) =>
            $$"""
                services: { s: "{{service.Address}}", unused{{n}}: "http://127.0.0.1:1" }
                routes: { s: { match: "/{**rest}", forward: s, transform: { response: { setHeaders: { X-N: "{{n}}" } } } } }
                """;
        await using var gateway = await GatewayProcess.StartAsync(Config(0));
        var failures = 0;
        var first = "";
        void Fail(string what)
        {
            if (Interlocked.Increment(ref failures) == 1)
                first = what;
        }

        // Each reload has requests of three clients beside it; more of them would only make it late.
        for (var n = 1; n <= 100; n++)
        {
            var load = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(LoadAsync)));
            var before = gateway.Outcomes();
            await File.WriteAllTextAsync(gateway.ConfigFile, GatewayProcess.WithPorts(Config(n)), None);
            gateway.Signal(SigHup);
            await Until.TrueAsync(() => gateway.Outcomes() > before);
            await load;
        }

        Assert.True(
            failures == 0,
            $"{failures} failures, the first: {first}\n"
                + string.Join('\n', gateway.Errors.Split('\n').Where(l => !l.Contains("1 routes, 2 services", StringComparison.Ordinal)))
        );
        // The last change may have been read as part of the one before it: it is live soon.
        await Until.TrueAsync(async () => await NumberAsync() == "100");

        async Task LoadAsync()
        {
            for (var i = 0; i < 5; i++)
            {
                try
                {
                    using var response = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), None);
                    if (response.StatusCode != HttpStatusCode.OK || await response.Content.ReadAsStringAsync(None) != "ok")
                        Fail($"{(int)response.StatusCode}");
                }
                catch (HttpRequestException e)
                {
                    Fail(e.ToString());
                }
            }
        }

        async Task<string> NumberAsync()
        {
            using var last = await gateway.Client.GetAsync(new Uri("/", UriKind.Relative), None);
            return last.Headers.GetValues("X-N").Single();
        }
    }

    [Fact]
    public async Task Reload_LeavingAServiceAlone_KeepsItsConnections_AndRequestsInFlightEnd()
    {
        var connections = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            connections[c.Connection.Id] = true;
            if (c.Request.Path == "/slow")
            {
                arrived.SetResult();
                await release.Task;
            }

            await c.Response.WriteAsync("ok");
        });
        string Config(string header) =>
            $$"""
                services: { s: "{{service.Address}}" }
                routes: { s: { match: "/{**rest}", forward: s, transform: { response: { setHeaders: { X-N: {{header}} } } } } }
                """;
        await using var gateway = await LocalProgram.StartAsync(Config("a"));
        await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await gateway.ReloadAsync(Config("b"));
        await gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        Assert.Single(connections);

        var slow = gateway.Client.GetAsync(new Uri("/slow", UriKind.Relative), None);
        await arrived.Task.WaitAsync(GatewayProcess.Patience, None);
        await gateway.ReloadAsync("routes: { s: { match: /other, respond: {} } }");
        release.SetResult();
        using var response = await slow;
        Assert.Equal("b", response.Headers.GetValues("X-N").Single());
    }

    [Fact]
    public async Task Term_FinishesWhatIsInFlight_AndExitsWithZero()
    {
        var release = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await release.Task;
            await c.Response.WriteAsync("whole");
        });
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        Assert.Equal(HttpStatusCode.OK, (await admin.GetAsync(new Uri("/health/ready", UriKind.Relative), None)).StatusCode);
        var answer = gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await arrived.Task.WaitAsync(GatewayProcess.Patience, None);
        gateway.Signal(SigTerm);
        await Until.TrueAsync(async () =>
            (await admin.GetAsync(new Uri("/health/ready", UriKind.Relative), None)).StatusCode == HttpStatusCode.ServiceUnavailable
        );
        release.SetResult();
        Assert.Equal("whole", await answer);
        Assert.Equal(0, await gateway.ExitCodeAsync());
    }

    [Theory]
    [InlineData(SigTerm)]
    [InlineData(SigHup, SigTerm)]
    public async Task Signals_AtTheVeryStart_WaitForTheGatewayAndEndItInOrder(params int[] signals)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc");
        using var folder = new ConfigFolder();
        var (code, errors) = await GatewayProcess.SignalAtOnceAsync(
            folder.Write("gateway.yaml", GatewayProcess.WithPorts(Responds("one"))),
            signals
        );
        Assert.True(code == 0, $"{code}: {errors}");
    }

    [Fact]
    [AnyTransport]
    public async Task Term_ASecondTime_EndsAtOnce()
    {
        var arrived = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(async c =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, c.RequestAborted);
        });
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: s } }
            """
        );
        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        var answer = gateway.Client.GetStringAsync(new Uri("/", UriKind.Relative), None);
        await arrived.Task.WaitAsync(GatewayProcess.Patience, None);
        gateway.Signal(SigTerm);
        await Until.TrueAsync(async () =>
            (await admin.GetAsync(new Uri("/health/ready", UriKind.Relative), None)).StatusCode == HttpStatusCode.ServiceUnavailable
        );
        gateway.Signal(SigTerm);
        Assert.Equal(130, await gateway.ExitCodeAsync());
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer);
    }

    [Fact]
    public async Task Metrics_And_AccessLog_TellOfEveryRequest()
    {
        await using var service = await TestService.StartAsync(c => c.Response.WriteAsync("ok"));
        await using var gateway = await GatewayProcess.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "GET /a/{id}", forward: s } }
            """
        );
        await gateway.Client.GetStringAsync(new Uri("/a/1?secret=s3cret", UriKind.Relative), None);
        using var wrong = await gateway.Client.PostAsync(new Uri("/a/1", UriKind.Relative), null, None);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, wrong.StatusCode);
        Assert.Equal(["GET", "HEAD"], wrong.Content.Headers.Allow);

        using var admin = new HttpClient { BaseAddress = gateway.Admin };
        var metrics = await admin.GetStringAsync(new Uri("/metrics", UriKind.Relative), None);
        Assert.Contains("http_server_request_duration_seconds_count{", metrics, StringComparison.Ordinal);
        Assert.Contains("http_route=\"/a/{id}\"", metrics, StringComparison.Ordinal);
        Assert.Contains("http_client_request_duration_seconds_count{", metrics, StringComparison.Ordinal);
        Assert.Contains("lintel_service=\"s\"", metrics, StringComparison.Ordinal);

        await Until.TrueAsync(() => gateway.AccessLog.Count() >= 2);
        using var line = JsonDocument.Parse(gateway.AccessLog.First());
        Assert.Equal("/a/1", line.RootElement.GetProperty("path").GetString());
        Assert.Equal("s", line.RootElement.GetProperty("service").GetString());
        Assert.Equal(200, line.RootElement.GetProperty("status").GetInt32());
        Assert.Equal("secret=REDACTED", line.RootElement.GetProperty("query").GetString());
        Assert.DoesNotContain("s3cret", gateway.AccessLog.First(), StringComparison.Ordinal);
    }

    [Fact]
    [AnyTransport]
    public async Task Explain_OfRequests_TellsWhatWouldHappenAndSendsNothing()
    {
        var asked = 0;
        await using var service = await TestService.StartAsync(c =>
        {
            Interlocked.Increment(ref asked);
            return Task.CompletedTask;
        });
        var folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        var (file, bad) = (Path.Combine(folder, "gateway.yaml"), Path.Combine(folder, "bad.yaml"));
        await File.WriteAllTextAsync(
            file,
            $$"""
            listeners: { public: "{{service.Address}}" } # taken: explain must not open it
            services: { users: "{{service.Address}}" }
            routes:
              user: { match: "GET /users/{id}", forward: "users/u/{id}" }
              beta: { match: { path: "/users/{id}", methods: [GET], headers: { X-Beta: { present: true } } }, forward: users }
              page: { match: /page, compose: { calls: { a: users/a, b: "users/b/{a.id}" } } }
            """,
            None
        );
        await File.WriteAllTextAsync(bad, "routes: { a: { match: /a, forward: nobody } }", None);

        var (code, output, _) = await LocalProgram.RunAsync("explain", file, "GET /users/7");
        Assert.Equal(0, code);
        Assert.Contains("route       user  /users/{id}", output, StringComparison.Ordinal);
        Assert.Contains("sends       GET /u/7", output, StringComparison.Ordinal);
        Assert.Contains("beta  /users/{id}: condition not met: header X-Beta is present", output, StringComparison.Ordinal);
        Assert.Contains(
            "route       beta",
            (await LocalProgram.RunAsync("explain", file, "/users/7", "-H", "X-Beta: 1", "-H", "Accept: */*")).Output,
            StringComparison.Ordinal
        );

        (code, output, _) = await LocalProgram.RunAsync("explain", "--format", "json", file, "GET /page");
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(output);
        Assert.Equal("30s", json.RootElement.GetProperty("compose").GetProperty("deadline").GetString());
        var levels = json.RootElement.GetProperty("compose").GetProperty("levels");
        Assert.Equal(("a", "b"), (levels[0][0].GetProperty("name").GetString(), levels[1][0].GetProperty("name").GetString()));
        Assert.Equal("request {a.id}", levels[1][0].GetProperty("needs")[0].GetProperty("because").GetString());

        (code, output, _) = await LocalProgram.RunAsync("explain", file, "GET /nothing");
        Assert.Equal((1, true), (code, output.Contains("refused     404: no route matches", StringComparison.Ordinal)));
        (code, output, _) = await LocalProgram.RunAsync("explain", bad, "GET /a");
        Assert.Equal((1, true), (code, output.StartsWith($"{bad}:1:36: unknown-service at routes.a.forward", StringComparison.Ordinal)));
        (code, output, _) = await LocalProgram.RunAsync("explain", Path.Combine(folder, "none.yaml"), "GET /a");
        Assert.Equal((1, true), (code, output.Contains("none.yaml", StringComparison.Ordinal)));
        (code, _, var errors) = await LocalProgram.RunAsync("explain", file, "get users");
        Assert.Equal((1, true), (code, errors.Contains("`get users` is not a request", StringComparison.Ordinal)));
        Assert.Equal(0, asked);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    [AnyTransport]
    public async Task Commands_ExitCodesAndOutput_AreAsDocumented()
    {
        var folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        var good = Path.Combine(folder, "good.yaml");
        var bad = Path.Combine(folder, "bad.yaml");
        await using var taken = await TestService.StartAsync(c => Task.CompletedTask);
        var busy = Path.Combine(folder, "busy.yaml");
        await File.WriteAllTextAsync(good, GatewayProcess.WithPorts(Responds("x")), None);
        await File.WriteAllTextAsync(bad, "routes: { a: { match: /a, forward: nobody } }", None);
        await File.WriteAllTextAsync(
            busy,
            Responds("x", $"listeners: {{ public: \"{taken.Address}\" }}\nadmin: {{ enabled: false }}"),
            None
        );

        Assert.Equal((0, "valid"), await Trimmed("validate", good));
        var (code, output) = await Trimmed("validate", bad);
        Assert.Equal(1, code);
        Assert.StartsWith($"{bad}:1:36: unknown-service at routes.a.forward", output, StringComparison.Ordinal);
        using var json = JsonDocument.Parse((await LocalProgram.RunAsync("validate", bad, "--format", "json")).Output);
        Assert.Equal("unknown-service", json.RootElement.GetProperty("problems")[0].GetProperty("code").GetString());
        using var schema = JsonDocument.Parse((await LocalProgram.RunAsync("schema")).Output);
        Assert.NotEqual(
            "",
            schema
                .RootElement.GetProperty("$defs")
                .GetProperty("gateway")
                .GetProperty("properties")
                .GetProperty("routes")
                .GetProperty("description")
                .GetString()
        );
        Assert.Equal(1, (await LocalProgram.RunAsync("run", bad)).Code);
        Assert.Equal(2, (await LocalProgram.RunAsync("run", busy)).Code);

        // The process's own streams and exit code.
        (code, output, var errors) = await GatewayProcess.RunAsync("validate", bad);
        Assert.Equal((1, ""), (code, errors));
        Assert.StartsWith($"{bad}:1:36: unknown-service at routes.a.forward", output, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);

        static async Task<(int, string)> Trimmed(params string[] arguments)
        {
            var (code, output, _) = await LocalProgram.RunAsync(arguments);
            return (code, output.Trim());
        }
    }
}
