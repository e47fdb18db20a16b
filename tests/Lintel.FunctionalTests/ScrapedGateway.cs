using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lintel.FunctionalTests.Otlp;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests;

/// <summary>A gateway that has served traffic of every kind, and a real Prometheus that scrapes it.</summary>
public sealed class ScrapedGateway : IAsyncLifetime
{
    /// <summary>Requests to the route <c>/a/{id}</c> over HTTP/1.1, without TLS.</summary>
    public const int Requests = 25;

    private readonly string _folder = Directory.CreateTempSubdirectory("lintel-prometheus-").FullName;
    private static readonly string Keys = KeySet();
    private TestService _service = null!;
    private OtlpReceiver _receiver = null!;
    private Process _prometheus = null!;
    private HttpClient _api = null!;
    private int _seconds;
    private int _hedged;

    internal GatewayProcess Gateway { get; private set; } = null!;

    public static string Deploy { get; } = Path.Combine(GatewayProcess.Repository, "deploy");

    /// <summary>The gateway's own text, in the format that Prometheus had before OpenMetrics.</summary>
    public string Text { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        _receiver = await OtlpReceiver.StartAsync();
        _service = await TestService.StartAsync(AnswerAsync);
        Gateway = await GatewayProcess.StartAsync(Config("s2"), Certificates());
        await ServeAsync();
        await ShedAsync();
        await Gateway.ReloadAsync("routes: { broken: {} }");
        await Gateway.ReloadAsync(Config("gone: false"));
        await StartPrometheusAsync();
        using var client = new HttpClient { BaseAddress = Gateway.Admin };
        Text = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        await Until.TrueAsync(async () =>
            (await QueryAsync($"sum(http_server_request_duration_seconds_count{{http_route=\"/a/{{id}}\"}})")).Count > 0
        );
    }

    public async ValueTask DisposeAsync()
    {
        _api?.Dispose();
        if (_prometheus is { HasExited: false })
        {
            _prometheus.Kill(entireProcessTree: true);
            await _prometheus.WaitForExitAsync();
        }

        _prometheus?.Dispose();
        await Gateway.DisposeAsync();
        await _service.DisposeAsync();
        await _receiver.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The result of an instant query; an error of the query fails the test.</summary>
    public async Task<List<JsonElement>> QueryAsync(string expression) =>
        [.. (await GetAsync("query?query=" + Uri.EscapeDataString(expression))).GetProperty("result").EnumerateArray()];

    /// <summary>The answer of Prometheus under <c>/api/v1/</c>.</summary>
    public async Task<JsonElement> GetAsync(string path)
    {
        using var response = await _api.GetAsync(new Uri("/api/v1/" + path, UriKind.Relative));
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.True(response.IsSuccessStatusCode, $"{Uri.UnescapeDataString(path)}: {answer.RootElement}");
        return answer.RootElement.GetProperty("data").Clone();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.ReceiveAsync(new byte[16], CancellationToken.None);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            return;
        }

        context.Response.StatusCode = context.Request.Path == "/fail" ? 503 : 200;
        if (context.Request.Path == "/keys")
            await context.Response.WriteAsync(Keys);
        if (context.Request.Path == "/json")
            await context.Response.WriteAsync("{}");

        // Answers the second request alone: the first is left for the hedge to overtake.
        if (
            (context.Request.Path == "/second" && Interlocked.Increment(ref _seconds) == 1)
            || (context.Request.Path == "/hedged" && Interlocked.Increment(ref _hedged) == 1)
        )
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    private static Dictionary<string, string> Certificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return new()
        {
            ["pool.yaml"] = "- http://127.0.0.1:1",
            ["tls.pem"] = certificate.ExportCertificatePem(),
            ["tls.key"] = key.ExportPkcs8PrivateKeyPem(),
        };
    }

    private static string KeySet()
    {
        using var issuer = new TestIssuer();
        return TestIssuer.Jwks(issuer);
    }

    /// <summary>With a service of two instances, or with only one of them.</summary>
    /// <param name="second">Whether there are two.</param>
    /// <param name="overload">When requests are shed: not while this class serves anything else.</param>
    private string Config(string second, string overload = "{ loopDelay: 10s }") =>
        $$"""
            overload: {{overload}}
            listeners:
              public: http://127.0.0.1:0
              clear2: { address: http://127.0.0.1:0, protocols: [http2] }
              secure: { address: https://127.0.0.1:0, certificates: [{ path: tls.pem, keyPath: tls.key }] }
            services:
              s: "{{_service.Address}}"
              dead: "http://127.0.0.1:1"
              two: { instances: ["{{_service.Address}}"{{(second == "s2" ? ", \"http://127.0.0.1:2\"" : "")}}] }
              failing:
                instances: ["{{_service.Address}}"]
                health: { passive: { consecutiveFailures: 3, ejectFor: 1h, maxEjected: 100% } }
                retry: { backoff: { base: 1ms, max: 1ms } }
                breaker: { minimumRequests: 4, openFor: 1h }
                limits: { concurrent: 10 }
              hedged: { instances: ["{{_service.Address}}"], hedge: { after: 1ms, budget: 100% } }
              lost: { discover: { file: missing.yaml } }
              found: { discover: { file: pool.yaml } }
            policies:
              signed-in: { jwt: { issuer: http://id.test, audiences: shop, jwks: "{{_service.Address}}/keys" } }
              login: { session: { issuer: "http://127.0.0.1:1", clientId: shop, clientSecret: secret } }
            routes:
              signed: { match: /k, forward: s, policies: [signed-in] }
              session: { match: /session, respond: { body: in }, policies: [login] }
              found: { match: /n, forward: found }
              lost: { match: /l, forward: lost }
              hedged: { match: /hedged, forward: hedged }
              failing: { match: /b, forward: { service: failing, path: /fail } }
              a: { match: "/a/{id}", forward: s }
              fail: { match: /fail, forward: s }
              mirrored: { match: /m, forward: { service: s, mirror: two } }
              dead: { match: /d, forward: dead }
              ping: { match: /p, respond: { body: pong } }
              faulty: { match: /f, respond: { body: pong }, policies: [{ fault: { abort: 503 } }] }
              shed: { match: /o, priority: low, respond: { body: pong } }
              composed:
                match: /c
                compose:
                  calls:
                    one: s/json
                    same: s/json
                    slow: { request: s/second, hedge: { after: 1ms, budget: 100% } }
                    missing: { request: s/fail, optional: true, fallback: [{ value: 1 }] }
              undone:
                match: POST /u
                compose:
                  calls:
                    done: { request: POST s/done, compensate: POST s/undo }
                    refused: { request: POST s/fail, after: [done] }
            observability: { accessLog: { to: none }, tracing: { otlp: "{{_receiver.GrpcAddress}}", sample: 100% } }
            """;

    private async Task ServeAsync()
    {
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(Gateway.Address) { Scheme = "ws", Path = "/a/ws" }.Uri, CancellationToken.None);
        await socket.SendAsync(new byte[1], WebSocketMessageType.Binary, true, CancellationToken.None);
        await socket.ReceiveAsync(new byte[1], CancellationToken.None);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);

        for (var i = 0; i < Requests; i++)
            (await Gateway.Client.GetAsync(new Uri($"/a/{i}", UriKind.Relative))).Dispose();
        for (var i = 0; i < 3; i++)
            (await Gateway.Client.GetAsync(new Uri("/b", UriKind.Relative))).Dispose(); // is retried, opens the breaker, is refused
        foreach (var path in (string[])["/fail", "/m", "/d", "/p", "/f", "/nowhere", "/c", "/hedged", "/bff/callback"])
            (await Gateway.Client.GetAsync(new Uri(path, UriKind.Relative))).Dispose();
        (await Gateway.Client.PostAsync(new Uri("/u", UriKind.Relative), null)).Dispose();
        for (var i = 0; i < 5; i++)
        {
            using var odd = new HttpRequestMessage(new HttpMethod("BREW" + i), "/p");
            (await Gateway.Client.SendAsync(odd)).Dispose();
        }

        using var client = new HttpClient(
            new SocketsHttpHandler
            {
                UseProxy = false,
                SslOptions =
                {
                    RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate?.Subject == "CN=localhost",
                },
            }
        );
        using var clear = new HttpRequestMessage(HttpMethod.Get, Listener("clear2") + "p")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        (await client.SendAsync(clear)).Dispose();
        (await client.GetAsync(new Uri(Listener("secure") + "p"))).Dispose();

        // No client hello: a handshake that fails.
        using var junk = new TcpClient();
        var secure = new Uri(Listener("secure"));
        await junk.ConnectAsync(secure.Host, secure.Port);
        await junk.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        while (await junk.GetStream().ReadAsync(new byte[256]) > 0) { }
    }

    /// <summary>Requests without a pause use more than a tenth of the processors.</summary>
    private async Task ShedAsync()
    {
        await Gateway.ReloadAsync(Config("s2", "{ loopDelay: off, cpu: 10% }"));
        await Until.TrueAsync(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                using var answer = await Gateway.Client.GetAsync(new Uri("/o", UriKind.Relative));
                if (answer.StatusCode == HttpStatusCode.ServiceUnavailable)
                    return true;
            }

            return false;
        });
    }

    private string Listener(string name) => Regex.Match(Gateway.Errors, $@"^  {name} +(\S+)", RegexOptions.Multiline).Groups[1].Value + "/";

    private async Task StartPrometheusAsync()
    {
        var config = await File.ReadAllTextAsync(Path.Combine(Deploy, "prometheus/prometheus.yml"));
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "prometheus.yml"),
            config
                .Replace("127.0.0.1:9901", Gateway.Admin.Authority, StringComparison.Ordinal)
                .Replace("15s", "1s", StringComparison.Ordinal)
        );
        File.Copy(Path.Combine(Deploy, "prometheus/alerts.yaml"), Path.Combine(_folder, "alerts.yaml"));
        _prometheus = Process.Start(
            new ProcessStartInfo(
                "prometheus",
                [
                    "--config.file=" + Path.Combine(_folder, "prometheus.yml"),
                    "--storage.tsdb.path=" + Path.Combine(_folder, "data"),
                    "--web.listen-address=127.0.0.1:0",
                    "--enable-feature=exemplar-storage",
                    "--log.level=info", // it tells where it listens
                ]
            )
            {
                RedirectStandardError = true,
            }
        )!;
        var line = "";
        while (!line.Contains("msg=\"Listening on\"", StringComparison.Ordinal))
        {
            line = await _prometheus.StandardError.ReadLineAsync().InTimeAsync();
            Assert.True(line is not null, "Prometheus did not start");
        }

        _ = _prometheus.StandardError.ReadToEndAsync();
        _api = new HttpClient { BaseAddress = new Uri("http://" + Regex.Match(line, @"address=(\S+)").Groups[1].Value) };
        await Until.TrueAsync(IsReadyAsync);

        async Task<bool> IsReadyAsync()
        {
            try
            {
                using var answer = await _api.GetAsync(new Uri("/-/ready", UriKind.Relative));
                return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                Assert.False(_prometheus.HasExited, "Prometheus did not start");
                return false;
            }
        }
    }
}
