using System.Net;
using System.Net.Quic;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Listeners.Framing;
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

/// <summary>One listening address: a Kestrel of its own, so that it opens, fails and drains without touching its neighbours.</summary>
internal sealed class Listener : IAsyncDisposable
{
    /// <summary>Kestrel's grace before it measures rates: enough for a round trip by satellite and a retransmission.</summary>
    private static readonly TimeSpan RateGrace = TimeSpan.FromSeconds(5);

    /// <summary>Where the system does not tell its limit: systemd's default.</summary>
    private const long UnknownDescriptors = 524_288;

    private readonly WebApplication _application;
    private readonly IServer _server;
    private readonly ListenerTls? _tls;

    private Listener(string name, ListenerConfig config, WebApplication application, ListenerTls? tls)
    {
        Name = name;
        Config = config;
        _application = application;
        _server = application.Services.GetRequiredService<IServer>();
        _tls = tls;
    }

    public string Name { get; }

    public ListenerConfig Config { get; }

    /// <summary>The addresses it is bound to; the real port where port 0 was asked for.</summary>
    public IReadOnlyList<string> Addresses => [.. _server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    /// <summary>Opens the address.</summary>
    /// <exception cref="IOException">It is taken, or cannot be had.</exception>
    /// <exception cref="CryptographicException">A certificate's file cannot be used.</exception>
    public static async Task<Listener> OpenAsync(ListenerIdentity identity, ListenerConfig config, RequestHandler handle, IServiceProvider services, CancellationToken cancellation)
    {
        var tls = config.Address.IsTls ? new ListenerTls(config, ReadCertificates(config)) : null;
        if (config.Protocols.Contains(ListenerProtocol.Http3) && !QuicListener.IsSupported)
            ListenerLog.NoQuic(services.GetRequiredService<ILogger<Listener>>(), config.Address.ToString());
        RemoveDeadSocket(config.Address);
        var application = Build(config, tls, services);
        var listener = new Listener(identity.Name, config, application, tls);
        if (services.GetRequiredService<Transports>().HasLoops(config))
            InlineScheduling.TryUse(listener._server);
        try
        {
            await listener._server.StartAsync(new GatewayApplication(handle, services.GetRequiredService<IServiceScopeFactory>(), identity), cancellation).ConfigureAwait(false);
            return listener;
        }
        catch (Exception e) when (e is IOException or SocketException or InvalidOperationException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw new IOException(e.GetBaseException().Message, e);
        }
    }

    /// <summary>Reads a listener's certificates anew, for <see cref="Use"/>.</summary>
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

    /// <summary>Shows these certificates from the next handshake on.</summary>
    public void Use(CertificateStore certificates) => _tls!.Replace(certificates);

    /// <summary>Takes no new connections, closes idle ones, and waits for the others until the token is canceled; then cuts them off.</summary>
    public Task StopAsync(CancellationToken deadline) => _server.StopAsync(deadline);

    public ValueTask DisposeAsync() => _application.DisposeAsync();

    /// <summary>The application is only the box that Kestrel's parts come in: it never runs.</summary>
    private static WebApplication Build(ListenerConfig config, ListenerTls? tls, IServiceProvider services)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(services.GetRequiredService<ILoggerFactory>());
        if (services.GetService<System.Diagnostics.Metrics.IMeterFactory>() is { } meters)
            builder.Services.AddSingleton(meters);
        builder.Services.AddSingleton<IConnectionListenerFactory>(services.GetRequiredService<Transports>().For(config));
        var kestrel = builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        if (config.Protocols.Contains(ListenerProtocol.Http3) && QuicListener.IsSupported)
            kestrel.UseQuic();
        var time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        kestrel.ConfigureKestrel(o =>
        {
            o.AddServerHeader = false;
            o.AllowAlternateSchemes = true; // HTTP/2 and 3 behind a proxy that ends TLS: what Kestrel would reset, the pipeline judges, answers and logs
            o.RequestHeaderEncodingSelector = static name => name == "Content-Length" ? DigitEncoding.Instance : Encoding.Latin1; // bytes pass through as they came
            o.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
            Limit(o.Limits, config.Limits, services.GetRequiredService<DescriptorReserve>());
            Listen(o, config, l => Configure(l, config, tls, time));
        });
        return builder.Build();
    }

    private static void Limit(KestrelServerLimits kestrel, ListenerLimitsConfig limits, DescriptorReserve descriptors)
    {
        kestrel.MaxRequestBodySize = limits.Body;
        kestrel.MaxConcurrentConnections = limits.Connections ?? Math.Max(64, (descriptors.Limit ?? UnknownDescriptors) * 45 / 100);

        // More than the limits: heads of HTTP/1.1 are counted before it by FramingGuard, those of later versions after it by HeadLimits, which answer and log what they refuse.
        kestrel.MaxRequestLineSize = 2 * (limits.RequestLine + limits.Headers);
        kestrel.MaxRequestHeadersTotalSize = 2 * (limits.RequestLine + limits.Headers);
        kestrel.MaxRequestHeaderCount = 2 * limits.HeaderCount;
        kestrel.MaxRequestBufferSize = Math.Max(kestrel.MaxRequestBufferSize ?? 0, 4 * (limits.Headers + limits.RequestLine));
        kestrel.KeepAliveTimeout = limits.KeepAlive;
        kestrel.RequestHeadersTimeout = limits.HeadTimeout + TimeSpan.FromSeconds(5); // HTTP/1.1's comes before it, from FramingGuard, with an answer
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

    /// <summary>The steps of a connection, outermost first: whom it comes from, TLS, framing, HTTP.</summary>
    private static void Configure(ListenOptions listen, ListenerConfig config, ListenerTls? tls, TimeProvider time)
    {
        listen.Protocols = config.Protocols.Aggregate(HttpProtocols.None, (all, one) => all | one switch
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

        if (tls is not null)
            listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = tls.HandshakeAsync, HandshakeTimeout = config.Limits.HandshakeTimeout });
        if (config.Protocols.Contains(ListenerProtocol.Http1))
            ((IConnectionBuilder)listen).Use(next => GuardedConnection.Use(next, config.Limits, time));
        if (config.Protocols.Contains(ListenerProtocol.Http2))
            ((IConnectionBuilder)listen).Use(next => GatheredConnection.Use(next, config.Protocols is [ListenerProtocol.Http2]));
    }

    /// <summary>A process that was killed leaves its socket's file behind, and nobody could ever bind to it again.</summary>
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
