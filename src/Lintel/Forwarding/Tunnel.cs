using System.Buffers;

namespace Lintel.Forwarding;

/// <summary>Relays bytes in both directions between two connections that have left HTTP, until either ends.</summary>
internal static class Tunnel
{
    /// <summary>The buffer size: a WebSocket message of usual size fits in one piece.</summary>
    private const int BufferSize = 16 * 1024;

    /// <param name="client">The client's side.</param>
    /// <param name="server">The service's side.</param>
    /// <param name="moved">Called after each transfer with the number of bytes sent to the service and to the client.</param>
    /// <returns>How the tunnel ended.</returns>
    public static async Task<TunnelEnd> RunAsync(Stream client, Stream server, Action<int, int> moved)
    {
        using var ended = new CancellationTokenSource();
        moved(0, 0);
        var up = CopyAsync(client, server, fromServer: false, moved, ended.Token);
        var down = CopyAsync(server, client, fromServer: true, moved, ended.Token);
        var first = await Task.WhenAny(up, down).ConfigureAwait(false);

        // The end of one side ends both: what the other side still sends could not be delivered.
        await ended.CancelAsync().ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
        await client.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll(up, down).ConfigureAwait(false);
        return await first.ConfigureAwait(false);
    }

    private static async Task<TunnelEnd> CopyAsync(
        Stream from,
        Stream to,
        bool fromServer,
        Action<int, int> moved,
        CancellationToken cancellation
    )
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        var isReading = true;
        try
        {
            int count;
            while ((count = await from.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
            {
                isReading = false;
                await to.WriteAsync(buffer.AsMemory(0, count), cancellation).ConfigureAwait(false);
                await to.FlushAsync(cancellation).ConfigureAwait(false);
                moved(fromServer ? 0 : count, fromServer ? count : 0);
                isReading = true;
            }

            return new TunnelEnd(null, fromServer);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            return new TunnelEnd(e, fromServer == isReading);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>How a tunnel ended.</summary>
/// <param name="Error">The error that broke it; <see langword="null"/> if a side ended it.</param>
/// <param name="AtServer">Whether it ended on the service's side.</param>
internal readonly record struct TunnelEnd(Exception? Error, bool AtServer);
