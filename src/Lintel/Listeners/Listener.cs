using System.Net;
using System.Net.Quic;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Listeners.Framing;
using Lintel.Listeners.Handshakes;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>A listening address with its own Kestrel server, so that it opens, fails and drains independently.</summary>
internal sealed class Listener : IAsyncDisposable
{
    /// <summary>Kestrel's grace period for data rates: enough for a round trip by satellite and a retransmission.</summary>
    private static readonly TimeSpan RateGrace = TimeSpan.FromSeconds(5);

    private static readonly GatewayError Distrusted = new(
        GatewayErrorKind.Stopped,
        "a certificate authority for client certificates is no longer trusted, and `drainTimeout` elapsed"
    );

    /// <summary>The fallback if the limit of the system is unknown: systemd's default.</summary>
    private const long UnknownDescriptors = 524_288;

    private readonly WebApplication _application;
    private readonly IServer _server;
    private readonly ListenerTls? _tls;
    private readonly ListenerConnections _connections;
    private readonly ListenerIdentity _identity;

    private Listener(
        ListenerIdentity identity,
        ListenerConfig config,
        WebApplication application,
        ListenerTls? tls,
        ListenerConnections connections
    )
    {
        _identity = identity;
        Config = config;
        _application = application;
        _server = application.Services.GetRequiredService<IServer>();
        _tls = tls;
        _connections = connections;
    }

    public string Name => _identity.Name;

    public ListenerConfig Config { get; }

    /// <summary>The bound addresses, with the actual port if port 0 was configured.</summary>
    public IReadOnlyList<string> Addresses => [.. _server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    /// <summary>Connections of clients over TCP and Unix sockets; those of QUIC are not known.</summary>
    public int Connections => _connections.Count;

    /// <summary>Opens the address.</summary>
    /// <exception cref="IOException">It is taken, or cannot be had.</exception>
    /// <exception cref="CryptographicException">A certificate's file cannot be used.</exception>
    public static async Task<Listener> OpenAsync(
        ListenerIdentity identity,
        ListenerConfig config,
        RequestHandler handle,
        IServiceProvider services,
        CancellationToken cancellation
    )
    {
        var tls = config.Address.IsTls
            ? new ListenerTls(config, ReadCertificates(config), services.GetRequiredService<HandshakeThreads>())
            : null;
        if (config.Protocols.Contains(ListenerProtocol.Http3) && !QuicListener.IsSupported)
            ListenerLog.NoQuic(services.GetRequiredService<ILogger<Listener>>(), config.Address.ToString());
        RemoveDeadSocket(config.Address);
        var most = config.Limits.Connections
            ?? Math.Max(64, (services.GetRequiredService<DescriptorReserve>().Limit ?? UnknownDescriptors) * 45 / 100);
        var connections = new ListenerConnections(config, most, TimeOf(services), services.GetRequiredService<ILogger<Listener>>());
        var faults = new ProtocolErrors(
            identity.Name,
            connections,
            services.GetRequiredService<GatewayMetrics>(),
            TimeOf(services),
            services.GetRequiredService<ILogger<Listener>>()
        );
        var application = Build(config, tls, connections, new KestrelLog(services.GetRequiredService<ILoggerFactory>(), faults), services);
        var listener = new Listener(identity, config, application, tls, connections);
        if (services.GetRequiredService<Transports>().HasLoops(config))
            InlineScheduling.TryUse(listener._server);
        try
        {
            await listener
                ._server.StartAsync(
                    new GatewayApplication(handle, services.GetRequiredService<IServiceScopeFactory>(), identity),
                    cancellation
                )
                .ConfigureAwait(false);
            return listener;
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidOperationException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw new IOException(e.GetBaseException().Message, e);
        }
    }

    /// <summary>Reloads the certificates of a listener, for <see cref="Use"/>.</summary>
    /// <exception cref="CryptographicException">A file cannot be used.</exception>
    public static CertificateStore ReadCertificates(ListenerConfig config)
    {
        try
        {
            return new CertificateStore(config);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CryptographicException(e.Message, e);
        }
    }

    /// <summary>
    /// Uses these certificates from the next handshake. If an authority is no longer trusted, existing connections are closed: any of their
    /// clients may have a certificate of it.
    /// </summary>
    /// <param name="certificates">As they were read.</param>
    /// <param name="drain">How long requests in flight may take in that case.</param>
    public void Use(CertificateStore certificates, TimeSpan drain)
    {
        if (_tls!.Replace(certificates))
            _connections.Drain(drain, Distrusted);
    }

    /// <summary>
    /// Stops accepting connections, closes idle ones, and waits for the others until the token is canceled; then aborts them.
    /// </summary>
    /// <param name="why">What became of the listener: for the requests that are cut off.</param>
    /// <param name="deadline">Ends the patience.</param>
    public async Task StopAsync(string why, CancellationToken deadline)
    {
        using var now = new CancellationTokenSource();
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stopping = _server.StopAsync(now.Token);
        await using (deadline.UnsafeRegister(static over => ((TaskCompletionSource)over!).TrySetResult(), over))
            await Task.WhenAny(stopping, over.Task).ConfigureAwait(false);
        if (!stopping.IsCompleted)
        {
            // Before Kestrel does, whose words tell nobody who has to know.
            var reason = new GatewayError(GatewayErrorKind.Stopped, why + ", and `drainTimeout` elapsed");
            _identity.Cut = reason;
            _connections.Cut(reason);
            await now.CancelAsync().ConfigureAwait(false);
        }

        await stopping.ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    /// <summary>The application is only the box that Kestrel's parts come in: it never runs.</summary>
    private static WebApplication Build(
        ListenerConfig config,
        ListenerTls? tls,
        ListenerConnections connections,
        ILoggerFactory log,
        IServiceProvider services
    )
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(log);
        if (services.GetService<System.Diagnostics.Metrics.IMeterFactory>() is { } meters)
            builder.Services.AddSingleton(meters);
        builder.Services.AddSingleton<IConnectionListenerFactory>(services.GetRequiredService<Transports>().For(config));
        var kestrel = builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        if (config.Protocols.Contains(ListenerProtocol.Http3) && QuicListener.IsSupported)
            kestrel.UseQuic();
        kestrel.ConfigureKestrel(o =>
        {
            o.AddServerHeader = false;
            // HTTP/2 and 3 behind a proxy that ends TLS: what Kestrel would reset, the pipeline judges, answers and logs
            o.AllowAlternateSchemes = true;
            // bytes pass through as they came
            o.RequestHeaderEncodingSelector = static name => name == "Content-Length" ? DigitEncoding.Instance : Encoding.Latin1;
            o.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
            Limit(o.Limits, config.Limits);
            if (config.Protocols.Contains(ListenerProtocol.Http3))
                o.Limits.MaxConcurrentConnections = connections.Most; // connections of QUIC pass none of our steps
            Listen(o, config, l => Configure(l, config, tls, connections, services));
        });
        return builder.Build();
    }

    /// <summary>The host's clock, if it has one.</summary>
    private static TimeProvider TimeOf(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;

    private static void Limit(KestrelServerLimits kestrel, ListenerLimitsConfig limits)
    {
        kestrel.MaxRequestBodySize = limits.Body;
        // More than the limits: heads of HTTP/1.1 are counted before it by FramingGuard, those of later versions after it by HeadLimits,
        // which answer and log what they refuse.
        kestrel.MaxRequestLineSize = 2 * (limits.RequestLine + limits.Headers);
        kestrel.MaxRequestHeadersTotalSize = 2 * (limits.RequestLine + limits.Headers);
        kestrel.MaxRequestHeaderCount = 2 * limits.HeaderCount;
        kestrel.MaxRequestBufferSize = Math.Max(kestrel.MaxRequestBufferSize ?? 0, 4 * (limits.Headers + limits.RequestLine));
        kestrel.KeepAliveTimeout = limits.KeepAlive;
        // HTTP/1.1's comes before it, from FramingGuard, with an answer
        kestrel.RequestHeadersTimeout = limits.HeadTimeout + TimeSpan.FromSeconds(5);
        kestrel.MinRequestBodyDataRate = limits.MinRequestRate == 0 ? null : new MinDataRate(limits.MinRequestRate, RateGrace);
        kestrel.MinResponseDataRate = limits.MinResponseRate == 0 ? null : new MinDataRate(limits.MinResponseRate, RateGrace);
        kestrel.Http2.MaxStreamsPerConnection = limits.Streams;
        kestrel.Http2.MaxRequestHeaderFieldSize = limits.RequestLine + limits.Headers;

        // A peer that has vanished without a word is noticed although streams are open: gRPC's advice for servers.
        kestrel.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(60);
        kestrel.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
    }

    private static void Listen(KestrelServerOptions options, ListenerConfig config, Action<ListenOptions> configure)
    {
        var (host, port) = (config.Address.Host, config.Address.Port);
        if (config.Address.IsUnix)
            options.ListenUnixSocket(host, configure);
        else if (host == "*")
            options.ListenAnyIP(port, configure);
        else if (host == "localhost" && port != 0)
            options.ListenLocalhost(port, configure);
        else
            options.Listen(host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(host), port, configure);
    }

    /// <summary>The steps of a connection, outermost first: remote address, TLS, framing, HTTP.</summary>
    private static void Configure(
        ListenOptions listen,
        ListenerConfig config,
        ListenerTls? tls,
        ListenerConnections connections,
        IServiceProvider services
    )
    {
        var time = TimeOf(services);
        listen.Protocols = config.Protocols.Aggregate(HttpProtocols.None, (all, one) => all
            | one switch
            {
                ListenerProtocol.Http1 => HttpProtocols.Http1,
                ListenerProtocol.Http2 => HttpProtocols.Http2,
                _ => QuicListener.IsSupported ? HttpProtocols.Http3 : HttpProtocols.None,
            });
        if (config.ProxyProtocol.Count > 0)
        {
            var proxies = new ProxyProtocol(new TrustedProxies(config.ProxyProtocol), config.Limits.HandshakeTimeout, time);
            ((IConnectionBuilder)listen).Use(proxies.Use);
        }

        ((IConnectionBuilder)listen).Use(connections.Use);
        if (tls is not null)
        {
            ((IConnectionBuilder)listen).Use(new HelloCheck(config, time, services.GetRequiredService<ILogger<Listener>>()).Use);
            listen.UseHttps(
                new TlsHandshakeCallbackOptions { OnConnection = tls.HandshakeAsync, HandshakeTimeout = config.Limits.HandshakeTimeout }
            );
        }

        if (config.Protocols.Contains(ListenerProtocol.Http1))
            ((IConnectionBuilder)listen).Use(next => GuardedConnection.Use(next, config.Limits, time));
        if (config.Protocols.Contains(ListenerProtocol.Http2))
            ((IConnectionBuilder)listen).Use(next => GatheredConnection.Use(next, config.Protocols is [ListenerProtocol.Http2]));
    }

    /// <summary>A killed process leaves its socket file behind, which would prevent binding.</summary>
    private static void RemoveDeadSocket(ListenerAddress address)
    {
        if (!address.IsUnix || !File.Exists(address.Host))
            return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(address.Host));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(address.Host);
        }
        catch (SocketException)
        {
            // Not a socket, or not ours to look at: binding says what is wrong.
        }
    }
}
