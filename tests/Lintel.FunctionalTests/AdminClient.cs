using System.Net;
using System.Text.Json.Nodes;

namespace Lintel.FunctionalTests;

/// <summary>Asks a gateway's admin address.</summary>
internal sealed class AdminClient(Uri address, string? token = null) : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = address,
        Timeout = GatewayProcess.Patience,
    };

    public async Task<(HttpStatusCode Status, JsonNode Body)> AskAsync(string path, HttpMethod? method = null)
    {
        using var response = await SendAsync(path, method);
        var text = await response.Content.ReadAsStringAsync(CancellationToken.None);
        return (response.StatusCode, JsonNode.Parse(text)!);
    }

    public async Task<JsonNode> GetAsync(string path)
    {
        var (status, body) = await AskAsync(path);
        Assert.Equal(HttpStatusCode.OK, status);
        return body;
    }

    public async Task<HttpResponseMessage> SendAsync(string path, HttpMethod? method = null, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(path, UriKind.Relative)) { Content = content };
        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
        return await _client.SendAsync(request, CancellationToken.None);
    }

    public void Dispose() => _client.Dispose();
}
