using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Web;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>A gateway before a gRPC service, with listeners for HTTP/1.1 and HTTP/2, for all tests of a class.</summary>
public sealed class GrpcFixture : IAsyncLifetime
{
    private readonly List<GrpcChannel> _channels = [];
    private GrpcServer _server = null!;

    internal LocalProgram Gateway { get; private set; } = null!;

    internal GrpcServer Server => _server;

    internal string ServerAddress => _server.Address;

    public async ValueTask InitializeAsync()
    {
        _server = await GrpcServer.StartAsync();
        Gateway = await LocalProgram.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services:
              probe: { instances: ["{{_server.Address}}"], protocol: http2 }
              impatient: { instances: ["{{_server.Address}}"], protocol: http2, timeouts: { request: 400ms, idle: 1s } }
              down: { instances: ["http://127.0.0.1:1"], protocol: http2 }
            routes:
              probe: { match: "/lintel.probe.Probe/{method}", forward: probe }
              impatient: { match: { path: "/lintel.probe.Probe/{method}", headers: { x-to: impatient } }, forward: impatient }
              down: { match: { path: "/lintel.probe.Probe/{method}", headers: { x-to: down } }, forward: down }
            """
        );
    }

    public async ValueTask DisposeAsync()
    {
        _channels.ForEach(c => c.Dispose());
        await Gateway.DisposeAsync();
        await _server.DisposeAsync();
    }

    /// <summary>A client of plain gRPC.</summary>
    internal Probe.ProbeClient Plain() => Client(new Timeouts { InnerHandler = new SocketsHttpHandler { UseProxy = false } }, "h2", null);

    /// <summary>A client of gRPC-Web.</summary>
    /// <param name="mode">Binary, or as text.</param>
    /// <param name="http2">Over which version.</param>
    /// <param name="leaves">Whether it closes connections with a reset, as terminated processes and closed tabs do.</param>
    internal Probe.ProbeClient Web(GrpcWebMode mode, bool http2, bool leaves = false)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        if (leaves)
            handler.ConnectCallback = LeavingClient.ConnectAsync;
        return Client(new GrpcWebHandler(mode, handler), http2 ? "h2" : "public", http2 ? new Version(2, 0) : new Version(1, 1));
    }

    internal static Metadata To(string service) => new() { { "x-to", service } };

    private Probe.ProbeClient Client(HttpMessageHandler handler, string listener, Version? version)
    {
        var options = new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = null,
            MaxSendMessageSize = null,
        };
        if (version is not null)
        {
            options.HttpVersion = version;
            options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        }

        var channel = GrpcChannel.ForAddress(Gateway.AddressOf(listener), options);
        lock (_channels)
            _channels.Add(channel);
        return new Probe.ProbeClient(channel);
    }

    /// <summary>Sets a deadline that the client itself does not watch: metadata of that name are the client library's own.</summary>
    private sealed class Timeouts : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Headers.TryGetValues("x-timeout", out var timeout))
                request.Headers.TryAddWithoutValidation("grpc-timeout", timeout);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
