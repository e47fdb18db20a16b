using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>
/// Attempts to reach protected routes without a credential: beside them an unprotected route takes everything else, and the service reads
/// paths as leniently as any.
/// </summary>
[EveryTransport]
public sealed partial class ProtectedRouteTests : IAsyncDisposable
{
    private const string Key = "right-key";

    private TestService _service = null!;
    private InProcessGateway _gateway = null!;

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _service.DisposeAsync();
    }

    [Theory]
    [InlineData("/admin")]
    [InlineData("/admin/")]
    [InlineData("/admin/x")]
    [InlineData("/ADMIN/x")]
    [InlineData("/admin?x")]
    [InlineData("/x/../admin/x")]
    [InlineData("/x/%2e%2e/admin/x")]
    [InlineData("/x/%2E./admin/x")]
    [InlineData("/./admin/x")]
    [InlineData("/%2e/admin/x")]
    [InlineData("//admin/x")]
    [InlineData("/%61dmin/x")]
    [InlineData("/%61%64%6D%69%6E/x")]
    [InlineData("/admin%2fx")]
    [InlineData("/admin%2Fx")]
    [InlineData("/x%2f..%2fadmin")]
    [InlineData("/x%2f%2e%2e%2fadmin")]
    [InlineData("/x/..%2fadmin")]
    [InlineData("/x/..;/admin")]
    [InlineData("/admin;x/y")]
    [InlineData("/admin;/y")]
    [InlineData("/admin%3bx/y")]
    [InlineData("/;/admin/x")]
    [InlineData("/x/..\\admin")]
    [InlineData("/x\\..\\admin")]
    [InlineData("/x%5c..%5cadmin")]
    [InlineData("\\admin\\x")]
    [InlineData("/admin%00/x")]
    [InlineData("/admin/../admin/x")]
    [InlineData("/admin/..%2fx")]
    [InlineData("/%c0%ae%c0%ae/admin")]
    [InlineData("/x/%c0%ae%c0%ae/admin")]
    [InlineData("/x/%uff0e%uff0e/admin")]
    [InlineData("/ａｄｍｉｎ/x")]
    [InlineData("/adm\u0131n/x")]
    [InlineData("/admin#/x")]
    [InlineData("admin/x")]
    [InlineData("http://t/admin/x")]
    [InlineData("http://t//admin/x")]
    [InlineData("http://t/x/../admin/x")]
    [InlineData("HTTP://t/ADMIN/x")]
    [InlineData("http://other@t/admin/x")]
    [InlineData("http://t?/admin/x")]
    [InlineData("*")]
    [Attack(
        "`..`, `%2e`, `//`, `;`, backslashes, encoded slashes, overlong UTF-8, another case, absolute-form: spellings of a protected path",
        "401, 400 or 404, or the service receives a path that is none of it"
    )]
    public async Task Path_InAnySpelling_IsNotReadAsTheProtectedOneByTheServiceAlone(string target)
    {
        await StartAsync();
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync($"GET {target} HTTP/1.1\r\nHost: t\r\n\r\n");
        var response = await client.ReadResponseAsync();
        if (response.Status != 200)
            Assert.Empty(_service.Seen);
        foreach (var seen in _service.Seen)
            Assert.DoesNotMatch(Protected(), Lenient(seen.Target));
    }

    [Theory]
    [InlineData("GET /admin/x HTTP/1.1\r\nHost: t\r\nX-HTTP-Method-Override: OPTIONS\r\n\r\n")]
    [InlineData("HEAD /admin/x HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("OPTIONS /admin/x HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("OPTIONS /admin/x HTTP/1.1\r\nHost: t\r\nOrigin: https://a.test\r\nAccess-Control-Request-Method: GET\r\n\r\n")]
    [InlineData("TRACE /admin/x HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("PROPFIND /admin/x HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("get /admin/x HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData(
        "GET /admin/x HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )]
    [InlineData(
        "GET /admin/x HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )]
    [InlineData("POST /admin/x HTTP/1.1\r\nHost: t\r\nContent-Type: application/grpc-web\r\nContent-Length: 0\r\n\r\n", 200)]
    [InlineData("GET / HTTP/1.1\r\nHost: admin.t\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: ADMIN.T.\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: admin.t:8443\r\n\r\n")]
    [InlineData("GET http://admin.t/ HTTP/1.1\r\nHost: t\r\n\r\n")]
    [InlineData("GET http://t/ HTTP/1.1\r\nHost: admin.t\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: t\r\nHost: admin.t\r\n\r\n")]
    [Attack(
        "HEAD, OPTIONS, a preflight, TRACE, CONNECT, method override, h2c and WebSocket upgrades, gRPC-Web, another tenant's host",
        "401 (gRPC: status 16), 400, 405 or no content of the service"
    )]
    public async Task Request_OfAnyForm_DoesNotReachAProtectedRoute(string request, int status = 0)
    {
        await StartAsync();
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync(request);
        var response = await client.ReadResponseAsync(!request.StartsWith("HEAD", StringComparison.Ordinal));
        if (status == 200)
            Assert.Equal(200, response.Status);
        else
            Assert.InRange(response.Status, 400, 499);
        Assert.DoesNotContain(_service.Seen, s =>
            Protected().IsMatch(Lenient(s.Target)) || s.Host.StartsWith("admin", StringComparison.OrdinalIgnoreCase)
        );
        if (request.Contains("grpc-web", StringComparison.Ordinal))
            Assert.Equal("16", response["grpc-status"]);
    }

    [Theory]
    [InlineData("X-Api-Key: wrong\r\nX-Api-Key: right-key\r\n", 401)]
    [InlineData("X-Api-Key: right-key\r\nX-Api-Key: right-key\r\n", 401)]
    [InlineData("X-Api-Key: right-key, right-key\r\n", 401)]
    [InlineData("X_Api_Key: right-key\r\n", 401)]
    [InlineData("X-Api-Key: wrong\r\nConnection: X-Api-Key\r\n", 401)]
    [InlineData("X-Api-Key: right-key\r\nConnection: X-Api-Key, X-Tier\r\n", 200)]
    [InlineData("X-Api-Key : right-key\r\n", 400)]
    [InlineData("X-Api-Key:\r\n right-key\r\n", 400)]
    [InlineData("X-Api-Key: right-key\r\n", 200)]
    [Attack(
        "a credential twice, in a header of a similar name, folded, or named in `Connection`",
        "401 or 400; `Connection` changes neither what the gateway examines nor what it sets itself"
    )]
    public async Task Credential_InAnotherForm_DoesNotCount(string headers, int status)
    {
        await StartAsync();
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync($"GET /admin/x HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
        Assert.Equal(status, (await client.ReadResponseAsync()).Status);
        Assert.Equal(status == 200 ? 1 : 0, _service.Seen.Count);
        Assert.All(_service.Seen, s => Assert.Equal("gold", s["X-Tier"]));
    }

    [Theory]
    [InlineData("POST /open HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("POST /open HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\n")]
    [InlineData("POST /open HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n")]
    [Attack("a request for a protected route smuggled in the body of one for an open route", "400, and the connection closes")]
    public async Task Request_SmuggledBehindAnOpenOne_IsNotServed(string head)
    {
        await StartAsync();
        using var client = await _gateway.ConnectAsync();
        await client.SendAsync(head + "GET /admin/x HTTP/1.1\r\nHost: t\r\nX-Api-Key: right-key\r\n\r\n");
        Assert.Equal(400, (await client.ReadResponseAsync()).Status);
        Assert.Equal("", await client.ReadToEndAsync());
        Assert.DoesNotContain(_service.Seen, s => Protected().IsMatch(Lenient(s.Target)));
    }

    [Fact]
    [Attack("keys are guessed: unknown, expired, of the wrong length, almost right", "the same answer, byte for byte")]
    public async Task Keys_ThatAreWrong_GetTheSameAnswer()
    {
        await StartAsync();
        var answers = new HashSet<string>();
        foreach (var key in new[] { "a", "right-kez", "right-key ", "expired", new string('a', 600) })
        {
            using var client = await _gateway.ConnectAsync();
            await client.SendAsync($"GET /admin/x HTTP/1.1\r\nHost: t\r\nX-Api-Key: {key.Trim()}{(key.EndsWith(' ') ? "x" : "")}\r\n\r\n");
            var response = await client.ReadResponseAsync();
            answers.Add(
                string.Join('\n', response.Head.Where(h => !h.StartsWith("Date", StringComparison.Ordinal)))
                    + TraceId().Replace(response.Body, "")
            );
        }

        Assert.Single(answers);
        Assert.Empty(_service.Seen);
    }

    [Fact]
    [Attack("a pattern in `matches` with catastrophic backtracking, and a claim made for it", "evaluated in time linear in its length")]
    public async Task Pattern_OfARule_IsLinear()
    {
        await StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/rule", UriKind.Relative));
        request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes(new string('a', 100) + "!:pw")));
        using var response = await _gateway.Client.SendAsync(request).InTimeAsync();
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    [Attack("a WebSocket to a protected route, over HTTP/1.1 and HTTP/2", "401 before anything reaches the service")]
    public async Task WebSocket_ToAProtectedRoute_NeedsTheCredential(string version)
    {
        await StartAsync();
        _service.Handler = async c =>
        {
            using var socket = await c.WebSockets.AcceptWebSocketAsync();
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", c.RequestAborted);
        };
        var listener = version == "2.0" ? "h2" : "public";
        var address = new UriBuilder(_gateway.AddressOf(listener)) { Scheme = "ws", Path = "/admin/socket" }.Uri;
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        using (var anonymous = new ClientWebSocket())
        {
            Configure(anonymous);
            await Assert.ThrowsAsync<WebSocketException>(() => anonymous.ConnectAsync(address, invoker, CancellationToken.None));
            Assert.Empty(_service.Seen);
        }

        using var known = new ClientWebSocket();
        Configure(known);
        known.Options.SetRequestHeader("X-Api-Key", Key);
        await known.ConnectAsync(address, invoker, CancellationToken.None);
        Assert.Single(_service.Seen);

        void Configure(ClientWebSocket socket)
        {
            socket.Options.HttpVersion = new Version(version);
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }
    }

    /// <summary>The path as the most lenient of services would read it.</summary>
    private static string Lenient(string target)
    {
        var path = target.Split('?', '#')[0];
        path = Uri.UnescapeDataString(path).Replace('\\', '/').Normalize(NormalizationForm.FormKC);
        var segments = new List<string>();
        foreach (var segment in path.Split('/').Select(s => s.Split(';')[0].TrimEnd('\0')).Zip(path.Split('/')))
        {
            if (segment.Second.Split(';')[0] == "..")
                segments = segments[..Math.Max(0, segments.Count - 1)];
            else if (segment.First.Length > 0)
                segments.Add(segment.First);
        }

        return "/" + string.Join('/', segments);
    }

    [GeneratedRegex("^/admin(/|$)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Protected();

    [GeneratedRegex("\"traceId\":\"[0-9a-f]*\"")]
    private static partial Regex TraceId();

    private static string HashOf(string key) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    private async Task StartAsync()
    {
        _service = await TestService.StartAsync();
        var hash = Identities.PasswordHash.Create("pw"u8, Identities.PasswordHash.LeastIterations).ToConfig();
        _gateway = await InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{_service.Address}}" }
            clients: { acme: { apiKeys: ["{{HashOf(Key)}}", { hash: "{{HashOf("expired")}}", expires: 2020-01-01 }] } }
            policies:
              key: { apiKey: {} }
              user: { basic: { users: { "{{new string('a', 100)}}!": "{{hash}}" } } }
              rule: { authorize: { claim: sub, matches: "(a+)+" } }
            routes:
              open: { match: { path: "/{**rest}", hosts: [t, localhost, 127.0.0.1] }, forward: s }
              admin: { match: { path: "/admin/{**rest}" }, forward: s, policies: [key] }
              admin-here: { match: { path: "/admin/{**rest}", hosts: [t, localhost, 127.0.0.1] }, forward: s, policies: [key], transform: { request: { setHeaders: { X-Tier: gold } } } }
              tenant: { match: { path: "/{**rest}", hosts: [admin.t] }, forward: s, policies: [key] }
              rule: { match: { path: /rule, hosts: [127.0.0.1] }, forward: s, policies: [user, rule] }
            """
        );
    }
}
