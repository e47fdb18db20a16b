using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;

namespace Lintel.Services.Connections;

/// <summary>The settings that a service's connections depend on. A reload that does not change them keeps the connections.</summary>
/// <param name="Protocol">The HTTP version.</param>
/// <param name="Tls">The TLS settings.</param>
/// <param name="UsesTls">Whether TLS is used.</param>
/// <param name="Connect">The connect timeout.</param>
/// <param name="Connections">The settings of the connection pool.</param>
/// <param name="Certificates">Fingerprint of the certificate files' content: a renewed certificate is another configuration.</param>
/// <param name="Handler">Replaces the connections; <see langword="null"/> except in tests.</param>
internal sealed record UpstreamClientConfig(
    ServiceProtocol Protocol,
    ServiceTlsConfig Tls,
    bool UsesTls,
    TimeSpan Connect,
    ConnectionsConfig Connections,
    string Certificates,
    Func<HttpMessageHandler>? Handler = null
)
{
    /// <summary>Whether lines of responses may end with a line feed alone.</summary>
    public bool AllowsBareLf { get; init; }

    /// <summary>Whether the length of a response may be repeated.</summary>
    public bool AllowsEqualLengths { get; init; }
}

/// <summary>The connections to a service's instances: one pool for each.</summary>
internal sealed class UpstreamClient : IDisposable
{
    /// <summary>How long to wait for the response to a ping: gRPC's own default (grpc/doc/keepalive.md).</summary>
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(20);

    private readonly UpstreamClientConfig _config;
    private readonly SslClientAuthenticationOptions? _tls;
    private readonly IDisposable[] _certificates = [];
    private readonly string _service;
    private readonly UpstreamDependencies _dependencies;
    private readonly ConcurrentDictionary<(string Host, int Port), ConnectionCount> _open = new();

    // has its own lock; instances with the same address share their connections across changes of weight
    private readonly Dictionary<(string Host, int Port), (Http1Pool? Pool, int Uses)> _pools = [];
    private readonly Http2Connections? _http2;
    private readonly LoopGroup? _loops; // of this client: null if the protocol does not use them
    private int _users = 1;

    /// <exception cref="CryptographicException">A file is not a certificate, or key and certificate do not match.</exception>
    public UpstreamClient(UpstreamClientConfig config, ServiceCertificates certificates, string service, UpstreamDependencies dependencies)
    {
        _config = config;
        _service = service;
        _dependencies = dependencies;
        _loops = config is { Protocol: ServiceProtocol.Http1, Handler: null } ? dependencies.Loops : null;
        if (config.UsesTls)
            (_tls, _certificates) = CreateTls(config, certificates);
        _http2 = config.Protocol == ServiceProtocol.Http2 ? new Http2Connections(CreateHandler, TimeProvider.System) : null;
        Invoker = new HttpMessageInvoker(
            config.Handler is { } make ? new PlainAddresses(make()) : new RequestBodies((HttpMessageHandler?)_http2 ?? CreateHandler()),
            disposeHandler: true
        );
    }

    public HttpMessageInvoker Invoker { get; }

    public bool Fits(UpstreamClientConfig config) => _config == config;

    /// <summary>The number of connections to an instance, busy and idle.</summary>
    public int OpenConnections(Instance instance)
    {
        var key = (instance.ConnectHost, instance.Port);
        return (_open.TryGetValue(key, out var count) ? count.Value : 0) + (instance.Connections?.Open ?? 0);
    }

    /// <summary>
    /// Acquires the connections of the event loops for an instance, to be released with one <see cref="Release"/>; <see langword="null"/>
    /// if there are no loops, or the service does not use HTTP/1.1.
    /// </summary>
    public Http1Pool? Acquire(Instance instance)
    {
        var key = (instance.ConnectHost, instance.Port);
        lock (_pools)
        {
            var (pool, uses) = _pools.GetValueOrDefault(key);
            if (_loops is not null)
                pool ??= CreatePool(new DnsEndPoint(key.ConnectHost, key.Port));
            _pools[key] = (pool, uses + 1);
            return pool;
        }
    }

    /// <summary>
    /// Releases the connections of an instance. The last release for an address closes them, and those in use when they are returned;
    /// requests that have chosen the instance before still get one.
    /// </summary>
    public void Release(Instance instance)
    {
        var key = (instance.ConnectHost, instance.Port);
        lock (_pools)
        {
            var (pool, uses) = _pools[key];
            if (uses > 1)
            {
                _pools[key] = (pool, uses - 1);
                return;
            }

            _pools.Remove(key);
            pool?.Drain();
            _http2?.Forget(key.ConnectHost, key.Port);
            if (_open.TryGetValue(key, out var count) && count.Value == 0)
                _open.TryRemove(new(key, count)); // addresses come and go for as long as the gateway runs
        }
    }

    /// <summary>Adds a user: another generation of the service.</summary>
    public UpstreamClient Share()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>Removes a user. The last one closes the connections.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        Invoker.Dispose();
        foreach (var certificate in _certificates)
            certificate.Dispose();
    }

    private SocketsHttpHandler CreateHandler()
    {
        var ping = _config.Connections.KeepAlivePing ?? ConnectionsConfig.DefaultKeepAlivePing;
        return new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null, // traceparent is set by the pipeline
            ConnectTimeout = _config.Connect,
            ConnectCallback = (context, cancellation) => MeasureAsync(context.DnsEndPoint, ConnectAsync, cancellation),
            PooledConnectionIdleTimeout = _config.Connections.Idle,
            MaxConnectionsPerServer = _config.Connections.Max ?? int.MaxValue,
            PooledConnectionLifetime = _config.Connections.Lifetime,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = ping == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : ping,
            KeepAlivePingTimeout = PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests, // gRPC servers treat pings without calls as an attack
            RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1, // bytes are passed through as received
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        };
    }

    private static (SslClientAuthenticationOptions Options, IDisposable[] Owned) CreateTls(
        UpstreamClientConfig config,
        ServiceCertificates certificates
    )
    {
        var owned = new List<IDisposable>();
        var options = new SslClientAuthenticationOptions
        {
            ApplicationProtocols =
            [
                config.Protocol == ServiceProtocol.Http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11,
            ],
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (certificates.Authorities is { } authorities)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.ImportFromPem(authorities);
            if (policy.CustomTrustStore.Count == 0)
                throw new CryptographicException($"`{Path.GetFileName(config.Tls.Authorities)}` contains no certificate");
            owned.AddRange(policy.CustomTrustStore);
            options.CertificateChainPolicy = policy;
        }

        if (certificates is { Certificate: { } certificate, Key: { } key })
        {
            var client = Load(certificate, key);
            owned.Add(client);
            options.ClientCertificateContext = SslStreamCertificateContext.Create(client, null, offline: true);
        }

        return (options, [.. owned]);
    }

    private Http1Pool CreatePool(DnsEndPoint address) =>
        new(
            _loops!,
            (loop, cancellation) => MeasureAsync(address, (to, c) => ConnectAsync(loop, to, c), cancellation),
            Options(_config, _loops!.Loops.Count)
        );

    private static Http1Options Options(UpstreamClientConfig config, int loops)
    {
        var connections = config.Connections;
        var options = new Http1Options
        {
            IdleLifetime = connections.Idle,
            Lifetime = connections.Lifetime,
            AllowsBareLf = config.AllowsBareLf,
            AllowsEqualLengths = config.AllowsEqualLengths,
        };
        return connections.Max is { } max ? options with { MaxConnections = Math.Max(1, max / loops) } : options;
    }

    private async ValueTask<T> MeasureAsync<T>(
        DnsEndPoint address,
        Func<DnsEndPoint, CancellationToken, ValueTask<T>> connect,
        CancellationToken cancellation
    )
    {
        var started = Stopwatch.GetTimestamp();
        var kind = GatewayErrorKind.ConnectionTimeout; // applies if the wait is canceled
        var connected = false;
        try
        {
            var made = await connect(address, cancellation).ConfigureAwait(false);
            connected = true;
            return made;
        }
        catch (UpstreamConnectException e)
        {
            kind = e.Kind;
            throw;
        }
        finally
        {
            var path = UnixAddress.ToPath(address.Host);
            _dependencies.Metrics.ConnectEnded(
                _service,
                path ?? address.Host,
                path is null ? address.Port : 0,
                connected ? null : ErrorTable.Get(kind).Slug,
                Stopwatch.GetElapsedTime(started)
            );
        }
    }

    private static X509Certificate2 Load(string certificate, string key)
    {
        try
        {
            return X509Certificate2.CreateFromPem(certificate, key);
        }
        catch (ArgumentException e)
        {
            throw new CryptographicException(e.Message, e); // .NET 10, for some kinds of keys that do not match the certificate
        }
    }

    private async ValueTask<Stream> ConnectAsync(DnsEndPoint address, CancellationToken cancellation)
    {
        var path = UnixAddress.ToPath(address.Host);
        var addresses = path is null ? await ResolveAsync(address.Host, cancellation).ConfigureAwait(false) : [];
        Socket? socket = null;
        Stream stream;
        try
        {
            socket = path is null
                ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
                : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            if (path is null)
                await socket.ConnectAsync(addresses, address.Port, cancellation).ConfigureAwait(false);
            else
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            stream = new UpstreamConnection(
                socket,
                _open.GetOrAdd((address.Host, path is null ? address.Port : 0), static _ => new ConnectionCount())
            );
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            throw new UpstreamConnectException(ConnectErrors.KindOf(e.SocketErrorCode, addresses is [.., { } last] ? last : null), e);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }

        if (_tls is not null)
            stream = await SecureAsync(stream, address.Host, cancellation).ConfigureAwait(false);
        return _config.Protocol == ServiceProtocol.Http1 ? new Http1Stream(stream) : stream;
    }

    /// <summary>Establishes a connection on a loop, including TLS, within the connect timeout.</summary>
    private async ValueTask<EstablishedConnection> ConnectAsync(EventLoop loop, DnsEndPoint address, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_config.Connect);
        try
        {
            EndPoint[] targets = UnixAddress.ToPath(address.Host) is { } path
                ? [new UnixDomainSocketEndPoint(path)]
                : Array.ConvertAll(await ResolveAsync(address.Host, limit.Token).ConfigureAwait(false), a => new IPEndPoint(
                    a,
                    address.Port
                ));
            var socket = await ConnectSocketAsync(loop, targets, limit.Token).ConfigureAwait(false);
            return new EstablishedConnection(
                socket,
                _tls is null ? socket : await SecureAsync(socket, address.Host, limit.Token).ConfigureAwait(false)
            );
        }
        catch (UpstreamConnectException)
        {
            throw;
        }
        catch (Exception e) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new UpstreamConnectException(GatewayErrorKind.ConnectionTimeout, e);
        }
        catch (IOException e) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Message, e, cancellation); // cut off while waiting, by the canceling caller
        }
        catch (IOException e)
        {
            // the loop cannot watch it: out of memory, or the limit fs.epoll.max_user_watches is reached
            throw new UpstreamConnectException(GatewayErrorKind.OutOfSockets, e);
        }
    }

    /// <summary>
    /// Resolves a name within the connect timeout. A timeout counts as a DNS error: a resolver that does not respond says nothing about the
    /// service.
    /// </summary>
    private async ValueTask<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation)
    {
        try
        {
            return await _dependencies.Names.ResolveAsync(host, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            throw new UpstreamConnectException(
                e is SocketException { SocketErrorCode: var code } && ConnectErrors.IsExhaustion(code)
                    ? GatewayErrorKind.OutOfSockets
                    : GatewayErrorKind.DnsError,
                e
            );
        }
    }

    /// <summary>Tries the addresses of a name one after the other.</summary>
    private static async ValueTask<LoopStream> ConnectSocketAsync(EventLoop loop, EndPoint[] targets, CancellationToken cancellation)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                return await LoopStream.ConnectAsync(loop, targets[i], cancellation).ConfigureAwait(false);
            }
            catch (SocketException e)
            {
                if (i == targets.Length - 1)
                    throw new UpstreamConnectException(ConnectErrors.KindOf(e.SocketErrorCode, (targets[i] as IPEndPoint)?.Address), e);
            }
        }
    }

    private async Task<SslStream> SecureAsync(Stream stream, string host, CancellationToken cancellation)
    {
        string? problem = null;
        var secure = new SslStream(stream, leaveInnerStreamOpen: false, (_, certificate, chain, errors) =>
        {
            if (errors != SslPolicyErrors.None)
                problem = CertificateProblem.Describe(certificate as X509Certificate2, chain, errors, _config.Tls.ServerName ?? host);
            return problem is null;
        });
        try
        {
            await secure
                .AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = _config.Tls.ServerName ?? host,
                        ApplicationProtocols = _tls!.ApplicationProtocols,
                        EnabledSslProtocols = _tls.EnabledSslProtocols,
                        CertificateChainPolicy = _tls.CertificateChainPolicy,
                        ClientCertificateContext = _tls.ClientCertificateContext,
                    },
                    cancellation
                )
                .ConfigureAwait(false);
            return secure;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw problem is null
                ? new UpstreamConnectException(GatewayErrorKind.TlsError, e)
                : new UpstreamConnectException(GatewayErrorKind.TlsCertificate, new AuthenticationException(problem, e));
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}

/// <summary>Precedes a handler that is not the gateway's: converts the address to a form that every handler can parse.</summary>
internal sealed class PlainAddresses(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.RequestUri = new Uri(request.RequestUri!.OriginalString);
        return base.SendAsync(request, cancellationToken);
    }
}

/// <summary>A connection to an instance could not be established: nothing of the request was sent.</summary>
internal sealed class UpstreamConnectException(GatewayErrorKind kind, Exception inner) : IOException(inner.Message, inner)
{
    public GatewayErrorKind Kind { get; } = kind;
}
