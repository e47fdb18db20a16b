using System.Net;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lintel.Control;

/// <summary>One bound admin address: a separate Kestrel server with its own limits, far below those of a listener for clients.</summary>
internal sealed class AdminListener
{
    /// <summary>How long requests in flight may take once the address is closed: scrapes take less.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly WebApplication _application;
    private volatile AdminGuard _guard;

    private AdminListener(GatewayConfig config, WebApplication application)
    {
        Config = config;
        _application = application;
        _guard = new AdminGuard(config);
    }

    public GatewayConfig Config { get; private set; }

    /// <summary>The address it is bound to; the actual port if port 0 was requested.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Opens the address.</summary>
    /// <exception cref="IOException">The address is in use, or cannot be bound.</exception>
    public static async Task<AdminListener> OpenAsync(
        GatewayConfig config,
        AdminRequests requests,
        Action<IApplicationBuilder> metrics,
        CancellationToken cancellation
    )
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddLintelTransport(usesReserve: true); // operators need access when resources are exhausted
        builder.WebHost.UseKestrelCore().ConfigureKestrel(o => Configure(o, config.Admin.Address));
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        var application = builder.Build();
        var listener = new AdminListener(config, application);
        application.Use(AdminConnections.Use);
        application.Use(next => context => requests.RunAsync(context, listener._guard, next));
        metrics(application);
        try
        {
            await application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            if (e is System.Net.Sockets.SocketException or InvalidOperationException)
                throw new IOException(e.GetBaseException().Message, e);
            throw;
        }

        listener.Address = application.Urls.First();
        return listener;
    }

    /// <summary>Continues at the same address with another token and other settings.</summary>
    public void Take(GatewayConfig config)
    {
        Config = config;
        _guard = new AdminGuard(config);
    }

    /// <summary>Stops accepting connections and completes when the requests in flight have ended or their time is over.</summary>
    public async Task CloseAsync()
    {
        using var deadline = new CancellationTokenSource(Patience);
        await _application.StopAsync(deadline.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private static void Configure(KestrelServerOptions options, ListenerAddress address)
    {
        options.AddServerHeader = false;
        var limits = options.Limits;
        limits.MaxConcurrentConnections = AdminLimits.Connections + AdminLimits.BusyConnections;
        limits.MaxRequestBodySize = AdminLimits.BodyBytes;
        limits.MaxRequestHeadersTotalSize = AdminLimits.HeaderBytes;
        limits.MaxRequestHeaderCount = AdminLimits.Headers;
        limits.MaxRequestLineSize = AdminLimits.RequestLineBytes;
        limits.RequestHeadersTimeout = AdminLimits.HeaderTimeout;
        limits.KeepAliveTimeout = AdminLimits.KeepAlive;
        limits.MinResponseDataRate = new MinDataRate(AdminLimits.ResponseBytesPerSecond, AdminLimits.ResponseGrace);

        var connections = new AdminConnections();
        void Plain(ListenOptions listen)
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(connections.Use);
        }

        if (address.Host == "*")
            options.ListenAnyIP(address.Port, Plain);
        else if (address.Host == "localhost" && address.Port != 0)
            options.ListenLocalhost(address.Port, Plain);
        else
            options.Listen(address.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(address.Host), address.Port, Plain);
    }

    /// <summary>Ignores signals, which belong to the process's own host.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
