using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>An OpenID provider that is not .NET: npm's <c>oidc-provider</c>. <c>node/provider.mjs</c> says what it knows.</summary>
public sealed class OpenIdServer : IAsyncLifetime
{
    private readonly HttpClient _client = new();
    private Process _node = null!;

    /// <summary>Its issuer, which is its address.</summary>
    public string Issuer { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.True(
            Directory.Exists(Path.Combine(Command.NodeFolder, "node_modules/oidc-provider")),
            "run `npm ci` in tests/Lintel.FunctionalTests/node (test.sh does)"
        );
        _node = Command.Start("node", Path.Combine(Command.NodeFolder, "provider.mjs"));
        _node.ErrorDataReceived += static (_, _) => { }; // what it says is not kept, and must not fill the pipe
        _node.BeginErrorReadLine();
        Issuer = (await _node.StandardOutput.ReadLineAsync().WaitAsync(GatewayProcess.Patience))!;
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _node.Kill(entireProcessTree: true);
        await _node.WaitForExitAsync();
        _node.Dispose();
    }

    /// <summary>Posts a form as the client <c>service</c>, and returns the answer.</summary>
    public Task<JsonNode> PostAsync(string path, params (string Name, string Value)[] form) => PostAsync(path, null, form);

    /// <summary>A JWT of the audience <c>shop</c> that is bound to the key of a proof.</summary>
    /// <param name="proof">A DPoP proof for the token endpoint.</param>
    public async Task<string> BoundTokenAsync(string proof)
    {
        var answer = await PostAsync("/token", proof, ("grant_type", "client_credentials"), ("resource", "urn:shop"));
        Assert.Equal("DPoP", (string?)answer["token_type"]);
        return (string)answer["access_token"]!;
    }

    private async Task<JsonNode> PostAsync(string path, string? proof, params (string Name, string Value)[] form)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Issuer + path)
        {
            Content = new FormUrlEncodedContent(form.Select(f => KeyValuePair.Create(f.Name, f.Value))),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue(
            "Basic",
            Convert.ToBase64String(Encoding.ASCII.GetBytes("service:service-secret"))
        );
        if (proof is not null)
            request.Headers.Add("DPoP", proof);
        using var answer = await _client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        return text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!;
    }

    /// <summary>An access token of the client <c>service</c>.</summary>
    /// <param name="isJwt">Whether it is a JWT of the audience <c>shop</c>, or opaque.</param>
    /// <param name="scope">Its scopes.</param>
    public async Task<string> TokenAsync(bool isJwt = true, string scope = "orders.read")
    {
        (string, string)[] grant = [("grant_type", "client_credentials"), ("scope", scope)];
        var answer = await PostAsync("/token", isJwt ? [.. grant, ("resource", "urn:shop")] : grant);
        return (string?)answer["access_token"] ?? throw new InvalidOperationException(answer.ToJsonString());
    }

    /// <summary>Tells the provider to do something: <c>rotate</c>, <c>down</c>, <c>up</c>, <c>requests</c>, <c>clients/ID</c>.</summary>
    /// <returns>How often each path has been asked for.</returns>
    public async Task<JsonNode> ControlAsync(string action, string? body = null)
    {
        using var content = new StringContent(body ?? "");
        using var answer = await _client.PostAsync($"{Issuer}/control/{action}", content);
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }
}
