using System.Net;
using System.Text;
using Lintel.Config;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.Listeners;

/// <summary>One listening address: a Kestrel of its own, so that it opens, fails and drains without touching its neighbours.</summary>
internal sealed class Listener : IAsyncDisposable
{
    private static readonly ConnectionHeaderEncoding ConnectionHeader = new();

    private readonly KestrelServer _server;

    private Listener(ListenerConfig config, KestrelServer server)
    {
        Config = config;
        _server = server;
    }

    public ListenerConfig Config { get; }

    /// <summary>The addresses it is bound to; the real port where port 0 was asked for.</summary>
    public IReadOnlyList<string> Addresses => [.. _server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    /// <summary>Opens the address.</summary>
    /// <exception cref="IOException">It is taken, or cannot be had.</exception>
    public static async Task<Listener> OpenAsync(ListenerConfig config, RequestDelegate handle, IServiceProvider services, CancellationToken cancellation)
    {
        var logging = services.GetRequiredService<ILoggerFactory>();
        var options = new KestrelServerOptions
        {
            ApplicationServices = services,
            AddServerHeader = false,
            RequestHeaderEncodingSelector = static name => name == "Connection" ? ConnectionHeader : Encoding.Latin1, // bytes pass through as they came
            ResponseHeaderEncodingSelector = static _ => Encoding.Latin1,
        };
        options.Limits.MaxRequestBodySize = null; // the services' own concern: bodies stream through
        Listen(options, config);
        var server = new KestrelServer(Options.Create(options), new SocketTransportFactory(Options.Create(new SocketTransportOptions()), logging), logging);
        try
        {
            await server.StartAsync(new Application(handle, services.GetRequiredService<IServiceScopeFactory>()), cancellation).ConfigureAwait(false);
            return new Listener(config, server);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or InvalidOperationException)
        {
            server.Dispose();
            throw new IOException(e.GetBaseException().Message, e);
        }
    }

    /// <summary>Takes no new connections, closes idle ones, and waits for the others until the token is canceled; then cuts them off.</summary>
    public Task StopAsync(CancellationToken deadline) => _server.StopAsync(deadline);

    public ValueTask DisposeAsync()
    {
        _server.Dispose();
        return default;
    }

    private static void Listen(KestrelServerOptions options, ListenerConfig config)
    {
        void Protocols(ListenOptions listen) =>
            listen.Protocols = config.Protocols.Contains(ListenerProtocol.Http2) ? HttpProtocols.Http2 : HttpProtocols.Http1;

        var (host, port) = config.Address;
        if (host == "*")
            options.ListenAnyIP(port, Protocols);
        else if (host == "localhost" && port != 0)
            options.ListenLocalhost(port, Protocols);
        else
            options.Listen(host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(host), port, Protocols);
    }

    /// <summary>Hands requests straight to the pipeline. Contexts are kept with their connection, as ASP.NET Core's own hosting does.</summary>
    private sealed class Application(RequestDelegate handle, IServiceScopeFactory scopes) : IHttpApplication<DefaultHttpContext>
    {
        public DefaultHttpContext CreateContext(IFeatureCollection contextFeatures)
        {
            if (contextFeatures is not IHostContextContainer<DefaultHttpContext> container)
                return new DefaultHttpContext(contextFeatures) { ServiceScopeFactory = scopes };
            if (container.HostContext is { } kept)
                kept.Initialize(contextFeatures);
            else
                container.HostContext = new DefaultHttpContext(contextFeatures) { ServiceScopeFactory = scopes };
            return container.HostContext;
        }

        public Task ProcessRequestAsync(DefaultHttpContext context) => handle(context);

        public void DisposeContext(DefaultHttpContext context, Exception? exception) => context.Uninitialize();
    }
}
