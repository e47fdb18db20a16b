using System.Net.Sockets;

namespace Lintel.Cli;

/// <summary>Queries the liveness of the gateway at its admin address: thread pool, sockets and server take part in the response.</summary>
/// <param name="address">The admin address; <see langword="null"/> if it is disabled.</param>
internal sealed class HealthCheck(Func<string?> address) : IDisposable
{
    // One connection, kept: a gateway that has no descriptor left for another is busy, not dead.
    private readonly HttpClient _client = new(
        new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            MaxConnectionsPerServer = 1,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        }
    );

    /// <summary>
    /// Whether there was a response before the token was canceled. With the admin address disabled it is sufficient that this code runs.
    /// </summary>
    public async Task<bool> IsLiveAsync(CancellationToken cancellation)
    {
        if (address() is not { } at)
            return true;
        try
        {
            using var response = await _client.GetAsync(new Uri(new Uri(at), "/health/live"), cancellation).ConfigureAwait(false);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets })
        {
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    public void Dispose() => _client.Dispose();
}
