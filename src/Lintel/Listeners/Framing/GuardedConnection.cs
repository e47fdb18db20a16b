using System.IO.Pipelines;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.Listeners.Framing;

/// <summary>Puts a <see cref="FramingGuard"/> into every connection that speaks HTTP/1.1.</summary>
internal static class GuardedConnection
{
    /// <summary>The step of a connection after TLS and before HTTP.</summary>
    public static ConnectionDelegate Use(ConnectionDelegate next, ListenerLimitsConfig limits, TimeProvider time) =>
        async connection =>
        {
            if (connection.Features.Get<ITlsApplicationProtocolFeature>() is { } tls && tls.ApplicationProtocol.Span.SequenceEqual("h2"u8))
            {
                await next(connection).ConfigureAwait(false);
                return;
            }

            HalfClose.Watch(connection);
            var transport = connection.Transport;
            var input = connection.Features.Get<LoopConnection>() is { } client
                ? new TurnInput(transport.Input, client.Loop, isFramed: false)
                : transport.Input;
            var guard = new FramingGuard(input, limits, time);
            connection.Features.Set(guard.Framing);
            connection.Features.Set(guard);
            connection.Features.Set<IInformationalResponseFeature>(new InterimResponses(transport.Output));
            var output = new TrailerOutput(transport.Output);
            connection.Features.Set<ITrailerOutputFeature>(output);
            connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static guard => ((FramingGuard)guard).Tick(), guard);
            connection.Transport = new Pipes(guard, output);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                connection.Transport = transport;
            }
        };

    private sealed class Pipes(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}

/// <summary>Notifies the guard when a request becomes a tunnel.</summary>
internal sealed class GuardedUpgrade(IHttpUpgradeFeature inner, FramingGuard guard, LoopConnection? connection) : IHttpUpgradeFeature
{
    public bool IsUpgradableRequest => inner.IsUpgradableRequest;

    public Task<Stream> UpgradeAsync()
    {
        guard.OpenTunnel();
        connection?.OpenTunnel();
        return inner.UpgradeAsync();
    }
}
