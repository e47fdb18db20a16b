using System.Text.Json;

namespace Lintel.TestKit;

/// <summary>A gateway in the test's own process whose access log can be read.</summary>
public sealed class LoggedGateway : IAsyncDisposable
{
    private readonly ConfigFolder _folder;
    private readonly InProcessGateway _gateway;
    private bool _isStopped;

    private LoggedGateway(ConfigFolder folder, InProcessGateway gateway)
    {
        _folder = folder;
        _gateway = gateway;
    }

    public InProcessGateway Running => _gateway;

    public Uri Address => _gateway.Address;

    /// <param name="yaml">Without <c>observability</c>.</param>
    public static async Task<LoggedGateway> StartAsync(string yaml)
    {
        var folder = new ConfigFolder();
        return new LoggedGateway(
            folder,
            await InProcessGateway.StartAsync($"observability: {{ accessLog: {{ to: \"{folder["access.log"]}\" }} }}\n" + yaml)
        );
    }

    public Task<RawClient> ConnectAsync() => _gateway.ConnectAsync();

    /// <summary>Stops the gateway, which writes what waits.</summary>
    /// <returns>The lines of all requests.</returns>
    public async Task<JsonElement[]> StopAsync()
    {
        await DisposeGatewayAsync();
        return [.. (await File.ReadAllLinesAsync(_folder["access.log"])).Select(l => JsonDocument.Parse(l).RootElement)];
    }

    public async ValueTask DisposeAsync()
    {
        await DisposeGatewayAsync();
        _folder.Dispose();
    }

    private async Task DisposeGatewayAsync()
    {
        if (_isStopped)
            return;
        _isStopped = true;
        await _gateway.DisposeAsync();
    }
}
