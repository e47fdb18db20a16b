using System.Net;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lintel.FunctionalTests.Protocols;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests;

/// <summary>Sessions over real connections, with a provider and a browser that nobody here wrote.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[EveryTransport]
public sealed partial class SessionTests(OpenIdServer provider) : IClassFixture<OpenIdServer>
{
    [Fact]
    [AnyTransport]
    public async Task Chromium_LogsIn_WorksAndLogsOut_AndOtherSitesReachNothing()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service, "browser");
        var address = $"http://localhost:{gateway.Address.Port}"; // another site than the provider's 127.0.0.1
        await RegisterAsync("browser", address);
        var (code, output, errors) = await Command.RunAsync(
            "node",
            Path.Combine(Command.NodeFolder, "session.mjs"),
            "/usr/bin/chromium",
            address,
            provider.Issuer
        );
        Assert.True(code == 0, errors + output);
        var seen = JsonNode.Parse(output)!;
        Assert.True((bool)seen["loginAt"]!);
        Assert.Equal("/app/page?x=1", (string?)seen["arrived"]);
        Assert.Equal(
            """[{"name":"lintel-login","path":"/","httpOnly":true,"sameSite":"Lax","expires":-1}]""",
            seen["cookies"]!.ToJsonString()
        );
        Assert.DoesNotContain("lintel", (string)seen["scripts"]!, StringComparison.Ordinal);
        Assert.Equal(("kim", "kim@example.com"), ((string?)seen["page"]!["sub"], (string?)seen["page"]!["email"]));
        Assert.Equal("""{"status":200,"bearer":true,"cookies":""}""", seen["page"]!["api"]!.ToJsonString());
        Assert.Equal("hello", (string?)seen["page"]!["socket"]);
        Assert.Equal("""{"get":"refused","post":"refused","socket":"refused"}""", seen["foreign"]!.ToJsonString());
        Assert.Equal(401, (int)seen["foreignForm"]!); // SameSite keeps the cookie
        Assert.Equal("followed", (string?)seen["link"]);
        Assert.Equal("/bye", (string?)seen["afterProviderLogout"]);
        Assert.True((bool)seen["logoutAt"]!);
        Assert.Equal("/bye", (string?)seen["bye"]);
        Assert.Equal(401, (int)seen["after"]!);
        Assert.DoesNotContain(service.Seen, r => r.Headers.TryGetValue("Cookie", out var c) && c.Any(v => v.Contains("lintel-")));
    }

    [Fact]
    public async Task Session_OverRealConnections_ReachesServices_AndSurvivesReloads()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await StartAsync(service, "client");
        await RegisterAsync("client", gateway.Address.ToString().TrimEnd('/'));
        using var client = CreateBrowser(gateway.Address, out var cookies);
        await LogInAsync(client, gateway.Address);
        Assert.Equal("""{"bearer":true,"cookies":""}""", await GetAsync(client, "/app/api"));
        Assert.Equal("""{"bearer":true,"cookies":"theme=dark"}""", await GetAsync(client, "/app/api", "theme=dark"));

        await gateway.ReloadAsync("/bye", "/goodbye"); // another policy, and the same sessions
        Assert.Equal("""{"bearer":true,"cookies":""}""", await GetAsync(client, "/app/api"));

        using var socket = new ClientWebSocket();
        socket.Options.Cookies = cookies;
        var ws = new UriBuilder(gateway.Address) { Scheme = "ws", Path = "/app/socket" }.Uri;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(ws, CancellationToken.None));
        using var own = new ClientWebSocket();
        own.Options.Cookies = cookies;
        own.Options.SetRequestHeader("Origin", gateway.Address.ToString().TrimEnd('/'));
        await own.ConnectAsync(ws, CancellationToken.None);
        Assert.Equal(WebSocketState.Open, own.State);
    }

    /// <summary>The endpoints have no endpoint of the application each; its Data Protection keeps logins that are under way.</summary>
    [Fact]
    [AnyTransport]
    public async Task Session_InsideAnApplication_HasItsEndpointsThere()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var gateway = await InProcessGateway.StartInApplicationAsync(
            Config(service, "application").Replace("${file:secret}", "application-secret", StringComparison.Ordinal),
            application =>
            {
                application.MapGet("/own", () => "own");
                application.MapLintel();
            },
            services => services.AddDataProtection().UseEphemeralDataProtectionProvider()
        );
        await RegisterAsync("application", gateway.Address.ToString().TrimEnd('/'));
        using var client = CreateBrowser(gateway.Address, out _);
        await LogInAsync(client, gateway.Address);
        Assert.Equal("""{"bearer":true,"cookies":""}""", await GetAsync(client, "/app/api"));
        Assert.Contains("\"sub\":\"kim\"", await GetAsync(client, "/bff/user"), StringComparison.Ordinal);
        Assert.Equal("own", await GetAsync(client, "/own"));
    }

    private Task<InProcessGateway> StartAsync(TestService service, string id) =>
        InProcessGateway.StartAsync(Config(service, id), new Dictionary<string, string> { ["secret"] = $"{id}-secret" });

    private string Config(TestService service, string id) =>
        $$"""
            services: { s: "{{service.Address}}" }
            policies:
              login:
                session:
                  issuer: {{provider.Issuer}}
                  clientId: {{id}}
                  clientSecret: "${file:secret}"
                  scopes: [openid, email, offline_access]
                  userInfo: true
                  returnTo: /bye
            routes:
              app: { match: "/app/{**rest}", forward: s, policies: [login] }
              bye: { match: /bye, respond: { body: bye } }
              goodbye: { match: /goodbye, respond: { body: bye } }
            """;

    private Task<JsonNode> RegisterAsync(string id, string address) =>
        provider.ControlAsync(
            "clients/" + id,
            JsonSerializer.Serialize(
                new
                {
                    client_secret = id + "-secret",
                    redirect_uris = new[] { address + "/bff/callback" },
                    post_logout_redirect_uris = new[] { address + "/bye" },
                    grant_types = new[] { "authorization_code", "refresh_token" },
                    response_types = new[] { "code" },
                    backchannel_logout_uri = address + "/bff/backchannel-logout",
                    backchannel_logout_session_required = true,
                }
            )
        );

    private static HttpClient CreateBrowser(Uri address, out CookieContainer cookies) =>
        new(new SocketsHttpHandler { CookieContainer = cookies = new CookieContainer(), UseProxy = false }) { BaseAddress = address };

    /// <summary>Fills in the provider's pages.</summary>
    private async Task LogInAsync(HttpClient client, Uri address)
    {
        client.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        var page = await client.GetAsync(new Uri("/app/page", UriKind.Relative));
        for (var i = 0; i < 2 && page.RequestMessage!.RequestUri!.Authority == new Uri(provider.Issuer).Authority; i++)
        {
            var html = await page.Content.ReadAsStringAsync();
            var form = HiddenField().Matches(html).ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value);
            (form["login"], form["password"]) = ("kim", "any");
            using var content = new FormUrlEncodedContent(form);
            page = await client.PostAsync(new Uri(new Uri(provider.Issuer), FormAction().Match(html).Groups[1].Value), content);
        }

        Assert.Equal(new Uri(address, "/app/page"), page.RequestMessage!.RequestUri);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    private static async Task<string> GetAsync(HttpClient client, string path, string? cookie = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-CSRF", "1");
        if (cookie is not null)
            request.Headers.Add("Cookie", cookie);
        using var answer = await client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            var message = await socket.ReceiveAsync(buffer, context.RequestAborted);
            await socket.SendAsync(buffer.AsMemory(0, message.Count), WebSocketMessageType.Text, true, context.RequestAborted);
            return;
        }

        if (context.Request.Path.Value!.EndsWith("/page", StringComparison.Ordinal))
        {
            context.Response.ContentType = "text/html";
            await context.Response.WriteAsync("<!doctype html><title>page</title>");
            return;
        }

        // Cookies of one host are not separate by port: those of the provider come, too.
        var cookies = context.Request.Cookies.Where(c => c.Key == "theme" || c.Key.Contains("lintel", StringComparison.Ordinal));
        await context.Response.WriteAsJsonAsync(
            new
            {
                bearer = context.Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.Ordinal),
                cookies = string.Join("; ", cookies.Select(c => $"{c.Key}={c.Value}")),
            }
        );
    }

    [GeneratedRegex("""<input type="hidden" name="([^"]+)" value="([^"]*)""")]
    private static partial Regex HiddenField();

    [GeneratedRegex("""<form[^>]* action="([^"]+)""")]
    private static partial Regex FormAction();
}
