using System.Net;
using System.Security.Cryptography;
using System.Text;
using Lintel.FunctionalTests.Otlp;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Plants recognizable secrets wherever there can be one, and searches all that the program says for them.</summary>
[AnyTransport]
public sealed class SecretTests
{
    /// <summary>A part of every secret.</summary>
    private const string Mark = "s3cr3t";

    private const int SigTerm = 15;

    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly string Basic = Convert.ToBase64String(Encoding.UTF8.GetBytes("kim:" + Mark));

    private static readonly string Hash = Identities.PasswordHash.Create(Encoding.UTF8.GetBytes(Mark), 100_000).ToConfig();

    /// <summary>What is searched for: the mark, what it becomes in Basic credentials, and the hash of the password.</summary>
    private static readonly string[] Needles = [Mark, Basic, Hash, Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Mark))];

    [Theory]
    [InlineData("json")]
    [InlineData("text")]
    [InlineData(
        "{ template: \"{method} {target} {path} {query} {header:X-Partner} {header:Authorization} {header:Cookie} {header:DPoP} {header:Referer} {detail}\" }"
    )]
    [Attack("credentials are read from logs, metrics, traces, the admin API, problems or the saved configuration", "none of them has one")]
    public async Task Secrets_OfRequestsAndConfiguration_AreSaidNowhere(string format)
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var service = await TestService.StartAsync();
        using var state = new ConfigFolder();
        var bodies = new StringBuilder();
        await using (
            var gateway = await GatewayProcess.StartAsync(
                Configuration(format, service.Address, receiver),
                Files(),
                new() { Arguments = ["--fallback-last-good=" + state.Path] }
            )
        )
        {
            await SendAllAsync(gateway, bodies);
            Assert.Contains(service.Seen, s => s["X-Backend-Auth"] == Mark + "-backend");
            using (var admin = new AdminClient(gateway.Admin, Mark + "-admin-token"))
            {
                var index = await admin.GetAsync("/api/v1");
                foreach (
                    var path in index["endpoints"]!.AsArray().Where(e => (string?)e!["method"] == "GET").Select(e => (string)e!["path"]!)
                )
                {
                    using var response = await admin.SendAsync(
                        path.Replace("{name}", path.Contains("routes", StringComparison.Ordinal) ? "key" : "s", StringComparison.Ordinal)
                    );
                    Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                    bodies.AppendLine(await response.Content.ReadAsStringAsync(None));
                }

                using var metrics = await admin.SendAsync("/metrics");
                bodies.AppendLine(await metrics.Content.ReadAsStringAsync(None));
            }

            var spans = await Until.SeenAsync(() => receiver.Spans.Count >= 16 ? receiver.Spans.ToList() : null);
            bodies.AppendLine(string.Join('\n', spans));
            await Until.TrueAsync(() => !receiver.Collections.IsEmpty);
            bodies.AppendLine(string.Join('\n', receiver.Collections.SelectMany(c => c)));
            gateway.Signal(SigTerm);
            Assert.Equal(0, await gateway.ExitCodeAsync());
            bodies.AppendLine(gateway.Errors).AppendLine(string.Join('\n', gateway.AccessLog));
            bodies.AppendLine(await File.ReadAllTextAsync(Path.Combine(gateway.Folder, "access.log"), None));
            bodies.AppendLine(await File.ReadAllTextAsync(Path.Combine(gateway.Folder, "error.log"), None));
            bodies.AppendLine(await ExplainAsync(gateway.ConfigFile));
            var kept = Assert.Single(Directory.GetFiles(state.Path));
            bodies.AppendLine(await File.ReadAllTextAsync(kept, None));
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(kept));
        }

        Assert.True(bodies.Length > 10_000);
        foreach (var line in bodies.ToString().Split('\n'))
            Assert.All(Needles, n => Assert.DoesNotContain(n, line, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Secrets_InTheWrongPlaces_AreNotRepeatedByProblems()
    {
        using var folder = new ConfigFolder();
        var file = folder.Write(
            "gateway.yaml",
            $$"""
            clients: { acme: { apiKeys: [{{Mark}}-1, { hash: {{Mark}}-2 }, sha256:{{Mark}}] } }
            policies:
              users: { basic: { users: { kim: {{Mark}}-3, lee: { password: "pbkdf2-sha256:1:{{Mark}}:x" } } } }
            routes: { r: { match: /r, respond: { body: x }, policies: [users] } }
            """
        );
        foreach (var format in new[] { "text", "json", "github", "sarif" })
        {
            var (code, output, errors) = await LocalProgram.RunAsync("validate", "--format", format, file);
            Assert.Equal(1, code);
            Assert.Contains("apiKeys", output, StringComparison.Ordinal);
            Assert.DoesNotContain(Mark, output + errors, StringComparison.OrdinalIgnoreCase);
        }
    }

    private static string Configuration(string format, string service, OtlpReceiver receiver) =>
        $$"""
            admin: { address: "http://127.0.0.1:0", token: "${file:secrets/admin}" }
            services:
              s: { instances: ["{{service}}"], affinity: { cookie: lb, key: "${file:secrets/affinity}" } }
              dead: http://127.0.0.1:1
            clients: { acme: { apiKeys: "{{HashOf(Mark + "-key")}}" } }
            policies:
              key: { apiKey: { header: X-Partner } }
              query: { anyOf: [{ apiKey: { query: partner } }, key] }
              users: { basic: { users: { kim: "${file:secrets/hash}" } } }
            defaults: { policies: [] }
            routes:
              key: { match: "/key/{**rest}", forward: s, policies: [key] }
              query: { match: "/query", forward: s, policies: [query] }
              users: { match: "/users", forward: s, policies: [users] }
              dead: { match: "/dead", forward: dead, policies: [query] }
              open:
                match: "/open"
                forward: s
                transform: { request: { setHeaders: { X-Backend-Auth: "${file:secrets/backend}" } } }
            observability:
              accessLog: { to: access.log, format: {{format}}{{(
                format == "json" ? ", headers: [X-Partner, Authorization, Cookie, DPoP, Referer]" : ""
            )}} }
              errorLog: { to: error.log, level: debug }
              tracing: { otlp: { endpoint: "{{receiver.HttpAddress}}", protocol: http, headers: { X-Key: "${file:secrets/otlp}" }, every: 1s }, sample: 100% }
              metrics: { otlp: { endpoint: "{{receiver.HttpAddress}}", protocol: http, every: 1s } }
            """;

    private static Dictionary<string, string> Files() =>
        new()
        {
            ["secrets/admin"] = Mark + "-admin-token",
            ["secrets/affinity"] = Mark + "-affinity-key-of-32-characters",
            ["secrets/hash"] = Hash,
            ["secrets/backend"] = Mark + "-backend",
            ["secrets/otlp"] = Mark + "-otlp",
        };

    private static async Task SendAllAsync(RunningProgram gateway, StringBuilder answers)
    {
        var right = Mark + "-key";
        (int Status, string Target, (string, string)[] Headers)[] requests =
        [
            (200, "/key/a", [("X-Partner", right)]),
            (401, "/key/a", [("X-Partner", Mark + "-wrong")]),
            (401, "/key/a", [("X-Partner", right), ("X-Partner", right)]),
            (200, "/query?partner=" + right, []),
            (200, "/query?a=1&p%61rtner=" + right, []),
            (401, "/query?partner=" + Mark + "-wrong", []),
            (401, "/query?access_token=" + Mark, [("Referer", "http://t/?partner=" + Mark)]),
            (200, "/users", [("Authorization", "Basic " + Basic)]),
            (401, "/users", [("Authorization", "Bearer " + Mark)]),
            (401, "/users", [("Authorization", "Basic " + Mark)]),
            (
                200,
                "/open?token=" + Mark,
                [("Cookie", "session=" + Mark + "; lb=" + Mark), ("DPoP", Mark), ("Authorization", "DPoP " + Mark)]
            ),
            (502, "/dead?partner=" + right, []),
        ];
        foreach (var (status, target, headers) in requests)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(target, UriKind.Relative));
            foreach (var (name, value) in headers)
                request.Headers.TryAddWithoutValidation(name, value);
            using var response = await gateway.Client.SendAsync(request, None);
            Assert.True(status == (int)response.StatusCode, $"{target}: {response.StatusCode}");
            answers.AppendLine(response.Headers.ToString()).AppendLine(await response.Content.ReadAsStringAsync(None));
        }
    }

    private static async Task<string> ExplainAsync(string file)
    {
        var all = new StringBuilder();
        foreach (var format in new[] { "text", "json" })
        {
            foreach (var request in new[] { "/key/a", "/open", "/users" })
            {
                var (_, output, errors) = await LocalProgram.RunAsync(
                    "explain",
                    "--format",
                    format,
                    "-H",
                    "X-Partner: " + Mark,
                    "-H",
                    "Authorization: Basic " + Basic,
                    "-H",
                    "Cookie: session=" + Mark,
                    file,
                    "GET " + request
                );
                all.Append(output).Append(errors);
            }
        }

        Assert.Contains("X-Backend-Auth", all.ToString(), StringComparison.Ordinal);
        return all.ToString();
    }

    private static string HashOf(string key) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
