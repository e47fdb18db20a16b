using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Lintel.Control.Status;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Composition;

/// <summary>A gateway whose services are one backend or several, by the names <c>a</c>, <c>b</c>, ….</summary>
internal sealed class ComposedGateway : IAsyncDisposable
{
    private ComposedGateway(InProcessGateway gateway) => Process = gateway;

    public InProcessGateway Process { get; }

    public HttpClient Client => Process.Client;

    /// <summary>Starts a gateway with one composing route for <c>/c/{id}</c>.</summary>
    /// <param name="compose">The content of <c>compose</c>.</param>
    /// <param name="backends">The services.</param>
    public static Task<ComposedGateway> StartAsync(string compose, params Backend[] backends) =>
        StartAsync("/c/{id}", compose, [.. backends.Select(b => b.Address)]);

    public static async Task<ComposedGateway> StartAsync(string match, string compose, string[] addresses)
    {
        var services = string.Join("\n", addresses.Select((a, i) => $"  {(char)('a' + i)}: \"{a}\""));
        return await StartYamlAsync($"services:\n{services}\nroutes:\n  c:\n    match: \"{match}\"\n    compose:\n{Indent(compose, 6)}");
    }

    public static async Task<ComposedGateway> StartYamlAsync(string yaml) => new(await InProcessGateway.StartAsync(yaml));

    public static string Indent(string text, int count) =>
        string.Join("\n", text.Split('\n').Select(l => new string(' ', count) + l.TrimEnd('\r')));

    public Task<Answer> GetAsync(string path = "/c/7", params (string Name, string Value)[] headers) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Get, path), headers);

    public async Task<Answer> SendAsync(HttpRequestMessage request, params (string Name, string Value)[] headers)
    {
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await Client.SendAsync(request).InTimeAsync();
        return new Answer(
            (int)response.StatusCode,
            await response.Content.ReadAsStringAsync().InTimeAsync(),
            response.Headers,
            response.Content.Headers
        );
    }

    /// <summary>Requests that the gateway has under way to its services.</summary>
    public int Busy => Process.Gateway.Services.Sum(s => s.Instances.Sum(i => i.RequestsInFlight));

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

/// <summary>A composed answer.</summary>
internal sealed record Answer(int Status, string Body, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
{
    public string? Composition => this["Composition"];

    public JsonNode Json => JsonNode.Parse(Body)!;

    /// <summary>A header as it was sent: .NET would put some of them in another order.</summary>
    public string? this[string name] =>
        Headers.NonValidated.TryGetValues(name, out var values) || ContentHeaders.NonValidated.TryGetValues(name, out values)
            ? values.ToString()
            : null;

    /// <summary>The header's entry for a call.</summary>
    public string Of(string call) =>
        Assert.Single((Composition ?? "").Split(", "), m => m == call || m.StartsWith(call + ";", StringComparison.Ordinal));
}
