using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lintel.Config;
using Lintel.Errors;

namespace Lintel.Services;

/// <summary>What a service's connections depend on. A reload that leaves it alone keeps the connections.</summary>
internal sealed record UpstreamClientConfig(ServiceProtocol Protocol, ServiceTlsConfig Tls, bool UsesTls, TimeSpan Connect);

/// <summary>The connections to a service's instances: a pool for each.</summary>
internal sealed class UpstreamClient : IDisposable
{
    /// <summary>Idle connections are closed before most servers do (nginx 75 s, Kestrel 130 s), so that requests seldom meet a closing one.</summary>
    private static readonly TimeSpan IdleLifetime = TimeSpan.FromSeconds(60);

    /// <summary>Connections are renewed so that a name that resolves to other addresses is noticed.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly UpstreamClientConfig _config;
    private readonly SslClientAuthenticationOptions? _tls;
    private readonly IDisposable[] _certificates = [];
    private int _users = 1;

    /// <summary>Reads the certificates' files.</summary>
    /// <exception cref="CryptographicException">A file is no certificate, or key and certificate do not belong together.</exception>
    public UpstreamClient(UpstreamClientConfig config)
    {
        _config = config;
        if (config.UsesTls)
            (_tls, _certificates) = CreateTls(config);
        Invoker = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                AutomaticDecompression = DecompressionMethods.None,
                UseCookies = false,
                UseProxy = false,
                ActivityHeadersPropagator = null, // traceparent is the pipeline's
                ConnectTimeout = config.Connect,
                ConnectCallback = ConnectAsync,
                PooledConnectionIdleTimeout = IdleLifetime,
                PooledConnectionLifetime = Lifetime,
                EnableMultipleHttp2Connections = true,
                RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1, // bytes pass through as they came
                ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            },
            disposeHandler: true);
    }

    public HttpMessageInvoker Invoker { get; }

    public bool Fits(UpstreamClientConfig config) => _config == config;

    /// <summary>One more service generation uses these connections.</summary>
    public UpstreamClient Share()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>One generation fewer. The last one closes the connections.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        Invoker.Dispose();
        foreach (var certificate in _certificates)
            certificate.Dispose();
    }

    private static (SslClientAuthenticationOptions Options, IDisposable[] Owned) CreateTls(UpstreamClientConfig config)
    {
        var owned = new List<IDisposable>();
        var options = new SslClientAuthenticationOptions
        {
            ApplicationProtocols = [config.Protocol == ServiceProtocol.Http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11],
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (config.Tls.Authorities is { } authorities)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(authorities);
            if (policy.CustomTrustStore.Count == 0)
                throw new CryptographicException($"`{Path.GetFileName(authorities)}` holds no certificate");
            owned.AddRange(policy.CustomTrustStore);
            options.CertificateChainPolicy = policy;
        }

        if (config.Tls.Certificate is { } certificate)
        {
            var client = X509Certificate2.CreateFromPemFile(certificate, config.Tls.KeyPath);
            owned.Add(client);
            options.ClientCertificateContext = SslStreamCertificateContext.Create(client, null, offline: true);
        }

        return (options, [.. owned]);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream stream;
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellation).ConfigureAwait(false);
            stream = new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new UpstreamConnectException(Kind(e.SocketErrorCode), e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        return _tls is null ? stream : await SecureAsync(stream, context.DnsEndPoint.Host, cancellation).ConfigureAwait(false);
    }

    private async Task<SslStream> SecureAsync(Stream stream, string host, CancellationToken cancellation)
    {
        var errors = SslPolicyErrors.None;
        var secure = new SslStream(stream, leaveInnerStreamOpen: false, (_, _, _, found) => (errors = found) == SslPolicyErrors.None);
        try
        {
            await secure.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = _config.Tls.ServerName ?? host,
                    ApplicationProtocols = _tls!.ApplicationProtocols,
                    EnabledSslProtocols = _tls.EnabledSslProtocols,
                    CertificateChainPolicy = _tls.CertificateChainPolicy,
                    ClientCertificateContext = _tls.ClientCertificateContext,
                }, cancellation).ConfigureAwait(false);
            return secure;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw new UpstreamConnectException(errors == SslPolicyErrors.None ? GatewayErrorKind.TlsError : GatewayErrorKind.TlsCertificate, e);
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static GatewayErrorKind Kind(SocketError error) => error switch
    {
        SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoRecovery or SocketError.NoData => GatewayErrorKind.DnsError,
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown or SocketError.AddressNotAvailable => GatewayErrorKind.Unroutable,
        SocketError.TimedOut => GatewayErrorKind.ConnectionTimeout,
        _ => GatewayErrorKind.ConnectionRefused,
    };
}

/// <summary>A connection to an instance could not be made: nothing of the request was sent.</summary>
internal sealed class UpstreamConnectException(GatewayErrorKind kind, Exception inner) : IOException(inner.Message, inner)
{
    public GatewayErrorKind Kind { get; } = kind;
}
