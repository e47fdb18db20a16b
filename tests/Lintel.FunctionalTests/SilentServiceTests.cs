using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>HTTP/2 services that keep the connection open and send nothing more.</summary>
[EveryTransport]
public sealed class SilentServiceTests
{
    [Fact]
    public async Task Request_AfterOneThatWaitedInVain_GetsAnotherConnection()
    {
        using var service = new FrameServer();
        await using var gateway = await StartAsync(service, "timeouts: { request: 1100ms }");
        Assert.Equal("200", await GetAsync(gateway, "/a"));
        Assert.Equal("200", await GetAsync(gateway, "/a"));
        Assert.Equal(1, service.Connections);

        service.Freeze();
        Assert.Equal("504", await GetAsync(gateway, "/a"));
        Assert.Equal("200", await GetAsync(gateway, "/a"));
        Assert.Equal(2, service.Connections);
    }

    /// <summary>A stream that has begun lives on where it is, and is not cut off with the connection that new requests have left.</summary>
    [Fact]
    public async Task Stream_OnTheConnectionThatWasLeft_GoesOn()
    {
        using var service = new FrameServer();
        await using var gateway = await StartAsync(service, "timeouts: { request: 1100ms }");
        using var response = await gateway.Client.GetAsync(new Uri("/stream", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("504", await GetAsync(gateway, "/silence"));
        Assert.Equal("200", await GetAsync(gateway, "/a"));
        Assert.Equal(2, service.Connections);
        await service.EndStreamsAsync();
        Assert.Equal("end", await response.Content.ReadAsStringAsync().InTimeAsync());
    }

    [Fact]
    public async Task Ping_OfAConnectionThatIsSilent_IsSentWhileARequestWaits()
    {
        using var service = new FrameServer();
        await using var gateway = await StartAsync(service, "connections: { keepAlivePing: 1s }");
        var waiting = gateway.Client.GetAsync(new Uri("/silence", UriKind.Relative));
        await service.Pinged.InTimeAsync();
        await service.EndStreamsAsync();
        using var response = await waiting.InTimeAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static async Task<string> GetAsync(InProcessGateway gateway, string path)
    {
        using var response = await gateway.Client.GetAsync(new Uri(path, UriKind.Relative)).InTimeAsync();
        return ((int)response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private static Task<InProcessGateway> StartAsync(FrameServer service, string settings) =>
        InProcessGateway.StartAsync(
            $$"""
            services: { s: { instances: ["{{service.Address}}"], protocol: http2, {{settings}} } }
            routes: { r: { match: "/{**rest}", forward: s } }
            """
        );

    /// <summary>
    /// Answers every request with 200, <c>/stream</c> with a head alone and <c>/silence</c> with nothing, until the test ends them; a
    /// frozen connection does not answer at all.
    /// </summary>
    private sealed class FrameServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ConcurrentQueue<(NetworkStream Stream, uint Id, bool HasHead)> _open = new();
        private readonly TaskCompletionSource _pinged = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile int _connections;
        private volatile int _frozen;

        public FrameServer()
        {
            _listener.Start();
            _ = AcceptAsync();
        }

        public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

        public int Connections => _connections;

        public Task Pinged => _pinged.Task;

        /// <summary>The existing connections become silent.</summary>
        public void Freeze() => _frozen = _connections;

        public async Task EndStreamsAsync()
        {
            while (_open.TryDequeue(out var open))
            {
                if (!open.HasHead)
                    await open.Stream.WriteAsync(
                        FrameClient.Frame(FrameClient.Headers, FrameClient.EndHeaders, open.Id, FrameClient.Block((":status", "200")))
                    );
                await open.Stream.WriteAsync(FrameClient.Frame(FrameClient.Data, FrameClient.EndStream, open.Id, "end"u8));
            }
        }

        public void Dispose() => _listener.Dispose();

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync();
                    _ = ServeAsync(client, Interlocked.Increment(ref _connections));
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client, int number)
        {
            using (client)
            {
                try
                {
                    var stream = client.GetStream();
                    await stream.ReadExactlyAsync(new byte[24]);
                    await stream.WriteAsync(FrameClient.Frame(FrameClient.Settings, 0, 0, []));
                    while (true)
                    {
                        var head = new byte[9];
                        await stream.ReadExactlyAsync(head);
                        var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                        await stream.ReadExactlyAsync(payload);
                        if (number > _frozen)
                            await AnswerAsync(stream, head, payload);
                    }
                }
                catch (Exception e) when (e is IOException or EndOfStreamException)
                {
                    // The gateway has left.
                }
            }
        }

        private async Task AnswerAsync(NetworkStream stream, byte[] head, byte[] payload)
        {
            var id = BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(5));
            switch (head[3])
            {
                case FrameClient.Settings when (head[4] & FrameClient.Ack) == 0:
                    await stream.WriteAsync(FrameClient.Frame(FrameClient.Settings, FrameClient.Ack, 0, []));
                    break;
                case FrameClient.Ping when (head[4] & FrameClient.Ack) == 0:
                    _pinged.TrySetResult();
                    await stream.WriteAsync(FrameClient.Frame(FrameClient.Ping, FrameClient.Ack, 0, payload));
                    break;
                case FrameClient.Headers:
                    await AnswerRequestAsync(stream, id, payload);
                    break;
            }
        }

        /// <summary>.NET's client writes paths as they are, neither indexed nor compressed.</summary>
        private async Task AnswerRequestAsync(NetworkStream stream, uint id, byte[] payload)
        {
            var isStream = payload.AsSpan().IndexOf("/stream"u8) >= 0;
            if (isStream || payload.AsSpan().IndexOf("/silence"u8) >= 0)
                _open.Enqueue((stream, id, isStream));
            if (payload.AsSpan().IndexOf("/silence"u8) >= 0)
                return;
            var flags = (byte)(FrameClient.EndHeaders | (isStream ? 0 : FrameClient.EndStream));
            await stream.WriteAsync(FrameClient.Frame(FrameClient.Headers, flags, id, FrameClient.Block((":status", "200"))));
        }
    }
}
