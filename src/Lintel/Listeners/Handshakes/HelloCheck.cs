using System.IO.Pipelines;
using Lintel.Config;
using Lintel.Observability.Logs;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners.Handshakes;

/// <summary>Refuses handshakes with a key exchange that the listener does not allow, before any expensive work is done.</summary>
/// <remarks>
/// .NET's TLS leaves the groups to OpenSSL, which also accepts finite-field groups: a client that offers only <c>ffdhe8192</c> costs 150 ms
/// of CPU time per connection.
/// </remarks>
internal sealed class HelloCheck(ListenerConfig config, TimeProvider time, ILogger logger)
{
    /// <summary>A fatal alert, handshake_failure (RFC 8446 section 6.2).</summary>
    private static readonly byte[] Failure = [21, 3, 3, 0, 2, 2, 40];

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly ushort[] _allowed = [.. config.Tls.Groups.Select(g => (ushort)g)];
    private readonly Throttle _throttle = new(Silence, time);

    /// <summary>The step of a connection before TLS.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) =>
        async connection =>
        {
            if (await IsAllowedAsync(connection).ConfigureAwait(false))
                await next(connection).ConfigureAwait(false);
        };

    private async ValueTask<bool> IsAllowedAsync(ConnectionContext connection)
    {
        using var deadline = new CancellationTokenSource(config.Limits.HandshakeTimeout, time);
        var input = connection.Transport.Input;
        string problem;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(deadline.Token).ConfigureAwait(false);
                var isRead = IsRead(input, read, out var hello);
                if (isRead && (hello is null || hello.Allows(_allowed)))
                {
                    connection.Features.Set(hello); // until TLS has its options
                    return true;
                }

                if (isRead)
                    break;
                if (read.IsCompleted)
                    return false;
            }

            problem = "it offers no allowed key exchange group, or prefers another one";
        }
        catch (FormatException e)
        {
            problem = e.Message;
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return false;
        }

        if (_throttle.MayLog(out var others))
            HandshakeLog.Refused(logger, config.Address.ToString(), problem, others);
        await RefuseAsync(connection.Transport.Output).ConfigureAwait(false);
        return false;
    }

    private static bool IsRead(PipeReader input, in ReadResult read, out ClientHello? hello)
    {
        var isRead = ClientHello.TryRead(read.Buffer, out hello);
        input.AdvanceTo(read.Buffer.Start, isRead ? read.Buffer.Start : read.Buffer.End); // TLS reads it again
        return isRead;
    }

    private static async ValueTask RefuseAsync(PipeWriter output)
    {
        try
        {
            await output.WriteAsync(Failure).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // It has gone.
        }
    }
}

/// <summary>Log lines of handshakes: event ids 1180 to 1189.</summary>
internal static partial class HandshakeLog
{
    [LoggerMessage(
        EventId = 1180,
        Level = LogLevel.Information,
        Message = "A TLS handshake at {Address} was refused: {Problem} ({Others} others since the last line)"
    )]
    public static partial void Refused(ILogger logger, string address, string problem, int others);
}
