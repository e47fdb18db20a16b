using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Tests.Policies.Session;

/// <summary>A provider whose answers the test decides; by default it keeps to the standards, and checks that the gateway does.</summary>
internal sealed class SessionProviderStub : IAsyncDisposable
{
    private readonly TestService _service;
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, IReadOnlyDictionary<string, string>> _codes = new();
    private int _issued;

    private SessionProviderStub(TestService service, TimeProvider time)
    {
        (_service, _time) = (service, time);
        service.Handler = AnswerAsync;
    }

    public string Issuer => _service.Address;

    /// <summary>Further members of the metadata.</summary>
    public JsonObject Metadata { get; } = [];

    /// <summary>The claims of ID tokens; <c>nonce</c> and the times are added.</summary>
    public JsonObject Claims { get; } =
        new()
        {
            ["sub"] = "kim",
            ["sid"] = "s1",
            ["email"] = "kim@example.com",
        };

    /// <summary>Changes an answer of the token endpoint.</summary>
    public Action<JsonObject> Change { get; set; } = static _ => { };

    /// <summary>Answers a request before anything else does, if it returns true.</summary>
    public Func<HttpContext, Task<bool>> Before { get; set; } = static _ => Task.FromResult(false);

    /// <summary>The life of access tokens.</summary>
    public int Seconds { get; set; } = 300;

    /// <summary>The forms that were posted: path, form.</summary>
    public ConcurrentQueue<(string Path, Dictionary<string, string> Form)> Posts { get; } = new();

    public IEnumerable<Dictionary<string, string>> Refreshes =>
        Posts.Where(p => p.Form.GetValueOrDefault("grant_type") == "refresh_token").Select(p => p.Form);

    public static async Task<SessionProviderStub> StartAsync(TimeProvider time) => new(await TestService.StartAsync(), time);

    /// <summary>What the provider sends the browser back with, after the user has logged in at a URL.</summary>
    public string Authorize(string url)
    {
        var asked = QueryHelpers.ParseQuery(new Uri(url).Query).ToDictionary(p => p.Key, p => p.Value.ToString());
        if (asked.GetValueOrDefault("request_uri") is { } pushed)
            asked = Posts.Single(p => "urn:" + p.Form.GetValueOrDefault("state") == pushed).Form;
        Assert.Equal(("code", "S256"), (asked["response_type"], asked["code_challenge_method"]));
        Assert.Contains("openid", asked["scope"].Split(' '));
        var code = "code-" + Interlocked.Increment(ref _issued);
        _codes[code] = asked;
        return $"{new Uri(asked["redirect_uri"]).AbsolutePath}?code={code}&state={Uri.EscapeDataString(asked["state"])}";
    }

    /// <summary>Signs claims.</summary>
    public string Sign(JsonObject claims, string? type = null) =>
        new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(
            claims.ToJsonString(),
            new SigningCredentials(new ECDsaSecurityKey(_key) { KeyId = "k1" }, SecurityAlgorithms.EcdsaSha256),
            new Dictionary<string, object> { ["typ"] = type ?? "JWT" }
        );

    /// <summary>A valid logout token.</summary>
    public JsonObject Logout(string? sub = null, string? sid = null)
    {
        var token = new JsonObject
        {
            ["iss"] = Issuer,
            ["aud"] = "shop",
            ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds(),
            ["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() + 120,
            ["jti"] = Guid.NewGuid().ToString(),
            ["events"] = new JsonObject { ["http://schemas.openid.net/event/backchannel-logout"] = new JsonObject() },
        };
        if (sub is not null)
            token["sub"] = sub;
        if (sid is not null)
            token["sid"] = sid;
        return token;
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        _key.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (await Before(context))
            return;
        var form = context.Request.HasFormContentType
            ? (await context.Request.ReadFormAsync()).ToDictionary(p => p.Key, p => p.Value.ToString())
            : [];
        if (form.Count > 0)
        {
            Assert.Equal("Basic c2hvcDpzZWNyZXQ=", context.Request.Headers.Authorization.ToString());
            Posts.Enqueue((context.Request.Path, form));
        }

        var answer = context.Request.Path.Value switch
        {
            "/.well-known/openid-configuration" => Discovery(),
            "/keys" => Keys(),
            "/token" => Token(form),
            "/par" => new JsonObject { ["request_uri"] = "urn:" + form["state"], ["expires_in"] = 60 },
            "/userinfo" => new JsonObject
            {
                ["sub"] = "kim",
                ["name"] = "Kim",
                ["email"] = "other@example.com",
            },
            "/revoke" => [],
            _ => new JsonObject { ["error"] = "not_found" },
        };
        if (answer.ContainsKey("error"))
            context.Response.StatusCode = 400;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(answer.ToJsonString());
    }

    private JsonObject Discovery()
    {
        var document = new JsonObject { ["issuer"] = Issuer };
        foreach (
            var (name, path) in new[]
            {
                ("jwks_uri", "/keys"),
                ("authorization_endpoint", "/authorize?tenant=1"),
                ("token_endpoint", "/token"),
                ("revocation_endpoint", "/revoke"),
                ("end_session_endpoint", "/end"),
                ("userinfo_endpoint", "/userinfo"),
            }
        )
            document[name] = Issuer + path;
        foreach (var (name, value) in Metadata)
            document[name] = value?.DeepClone();
        return document;
    }

    private JsonObject Keys()
    {
        var key = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(_key) { KeyId = "k1" });
        return new JsonObject
        {
            ["keys"] = new JsonArray(
                new JsonObject
                {
                    ["kty"] = "EC",
                    ["crv"] = key.Crv,
                    ["x"] = key.X,
                    ["y"] = key.Y,
                    ["kid"] = "k1",
                    ["use"] = "sig",
                }
            ),
        };
    }

    private JsonObject Token(Dictionary<string, string> form)
    {
        string? nonce = null;
        if (form["grant_type"] == "authorization_code")
        {
            if (!_codes.TryRemove(form["code"], out var asked))
                return new JsonObject { ["error"] = "invalid_grant" };
            var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"])));
            Assert.Equal((asked["code_challenge"], asked["redirect_uri"]), (challenge, form["redirect_uri"]));
            nonce = asked["nonce"];
        }

        var number = Interlocked.Increment(ref _issued);
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        var claims = (JsonObject)Claims.DeepClone();
        claims.TryAdd("iss", Issuer);
        claims.TryAdd("aud", "shop");
        claims.TryAdd("iat", now);
        claims.TryAdd("exp", now + 600);
        if (nonce is not null)
            claims.TryAdd("nonce", nonce);
        var answer = new JsonObject
        {
            ["access_token"] = $"access-{number}",
            ["token_type"] = "Bearer",
            ["expires_in"] = Seconds,
            ["refresh_token"] = $"refresh-{number}",
            ["id_token"] = Sign(claims),
        };
        Change(answer);
        return answer;
    }
}

/// <summary>A browser with one tab: it keeps cookies, and follows no redirect by itself.</summary>
internal sealed class TestBrowser(MemoryGateway gateway, string scheme = "http", string host = "localhost")
{
    public Dictionary<string, string> Cookies { get; } = [];

    /// <summary>The attributes with which cookies were set.</summary>
    public Dictionary<string, string> Attributes { get; } = [];

    /// <summary>Goes to a URL.</summary>
    public Task<MemoryAnswer> GoAsync(string target) => SendAsync("GET", target, null, ("Accept", "text/html"));

    /// <summary>A request of a page of the same origin.</summary>
    public Task<MemoryAnswer> FetchAsync(string target, string method = "GET") => SendAsync(method, target, null, ("X-CSRF", "1"));

    public async Task<MemoryAnswer> SendAsync(string method, string target, string? body, params (string Name, string Value)[] headers)
    {
        var context = TestRequest.Create(method, target, host, headers);
        context.Request.Scheme = scheme;
        if (Cookies.Count > 0)
            context.Request.Headers.Cookie = string.Join("; ", Cookies.Select(c => $"{c.Key}={c.Value}"));
        if (body is not null)
            context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        var answer = await gateway.SendAsync(context);
        foreach (var line in answer.Response.Headers.SetCookie)
        {
            var parts = line!.Split("; ");
            var pair = parts[0].Split('=', 2);
            Attributes[pair[0]] = string.Join("; ", parts[1..]);
            if (parts.Contains("Max-Age=0"))
                Cookies.Remove(pair[0]);
            else
                Cookies[pair[0]] = pair[1];
        }

        return answer;
    }

    /// <summary>Goes to a URL of the application, logs in at the provider, and returns the provider's answer's answer.</summary>
    public async Task<MemoryAnswer> LogInAsync(SessionProviderStub provider, string target = "/app")
    {
        var first = await GoAsync(target);
        Assert.Equal(302, first.Status);
        var login = await GoAsync(first["Location"]!);
        Assert.Equal((302, ""), (login.Status, login.Body));
        return await GoAsync(provider.Authorize(login["Location"]!));
    }
}
