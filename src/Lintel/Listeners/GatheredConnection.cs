using System.IO.Pipelines;
using System.Net;
using Lintel.Carriers;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.Listeners;

/// <summary>
/// Gathers the output of an HTTP/2 connection's streams, limits its reads to turns, and holds the state that its requests share.
/// </summary>
internal static class GatheredConnection
{
    /// <summary>The step of a connection after TLS and before HTTP.</summary>
    /// <param name="next">HTTP.</param>
    /// <param name="isHttp2Alone">Whether the listener supports only HTTP/2: without TLS there is no negotiation of the version.</param>
    public static ConnectionDelegate Use(ConnectionDelegate next, bool isHttp2Alone) =>
        async connection =>
        {
            if (connection.Features.Get<LoopConnection>() is not { } client || !SpeaksHttp2(connection, isHttp2Alone))
            {
                await next(connection).ConfigureAwait(false);
                return;
            }

            connection.Features.Set(new Peer((connection.RemoteEndPoint as IPEndPoint)?.Address));
            var transport = connection.Transport;
            var output = new GatheredOutput(client.Loop, transport.Output);
            connection.Transport = new Pipes(new TurnInput(transport.Input, client.Loop, isFramed: true), output.Writer);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                // as long as the client takes it: Kestrel's drain has a least rate, and a shutdown its deadline
                await output.DisposeAsync().ConfigureAwait(false);
                connection.Transport = transport;
            }
        };

    private static bool SpeaksHttp2(ConnectionContext connection, bool isHttp2Alone) =>
        connection.Features.Get<ITlsApplicationProtocolFeature>() is { } tls
            ? tls.ApplicationProtocol.Span.SequenceEqual("h2"u8)
            : isHttp2Alone;

    private sealed class Pipes(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
