using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Lintel.Config;
using Lintel.Listeners.Handshakes;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using ClientCertificateMode = Lintel.Config.ClientCertificateMode;

namespace Lintel.Listeners;

/// <summary>The server side of a listener's TLS handshakes.</summary>
internal sealed class ListenerTls(ListenerConfig config, CertificateStore certificates, HandshakeThreads threads)
{
    private readonly List<SslApplicationProtocol> _protocols =
    [
        .. config.Protocols.Contains(ListenerProtocol.Http2) ? [SslApplicationProtocol.Http2] : Array.Empty<SslApplicationProtocol>(),
        .. config.Protocols.Contains(ListenerProtocol.Http1) ? [SslApplicationProtocol.Http11] : Array.Empty<SslApplicationProtocol>(),
    ];

    private readonly SslProtocols _versions =
        config.Tls.MinVersion == TlsVersion.Tls13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;

    private readonly CipherSuitesPolicy? _suites = OperatingSystem.IsLinux() ? new CipherSuitesPolicy(config.Tls.CipherSuites) : null;

    /// <summary>
    /// In this case TLS 1.3 clients cannot negotiate other suites, and no policy is needed: with a policy .NET creates a new OpenSSL
    /// context for each connection, and sessions cannot be resumed.
    /// </summary>
    private readonly bool _hasUsual13 = TlsConfig.HasUsualSuitesOf13(config.Tls);

    private volatile CertificateStore _certificates = certificates;

    /// <summary>From the next handshake on.</summary>
    /// <returns>Whether a certificate authority for client certificates was removed.</returns>
    public bool Replace(CertificateStore certificates)
    {
        var before = _certificates.ClientAuthorities;
        _certificates = certificates;
        return before is not null
            && before.Any(b => !certificates.ClientAuthorities!.Any(a => a.RawDataMemory.Span.SequenceEqual(b.RawDataMemory.Span)));
    }

    /// <exception cref="AuthenticationException">No certificate is for the name that the client asks for.</exception>
    public async ValueTask<SslServerAuthenticationOptions> HandshakeAsync(TlsHandshakeCallbackContext context)
    {
        var certificates = _certificates;
        var serverName = context.ClientHelloInfo.ServerName;
        var knows13 = context.Connection.Features.Get<ClientHello>() is { OffersTls13: true };
        context.Connection.Features.Set<ClientHello>(null);
        var options = new SslServerAuthenticationOptions
        {
            EnabledSslProtocols = _versions,
            CipherSuitesPolicy = knows13 && _hasUsual13 ? null : _suites,
            ServerCertificateContext = certificates.Find(serverName)
                ?? throw new AuthenticationException($"there is no certificate for the server name `{serverName}`"),
            ApplicationProtocols = _protocols,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            AllowRenegotiation = false,
        };
        if (certificates.ClientAuthorities is { } authorities)
            AskForCertificate(options, authorities);
        await threads.EnterAsync(); // what TLS does next, it does there
        return options;
    }

    private void AskForCertificate(SslServerAuthenticationOptions options, X509Certificate2Collection authorities)
    {
        var isRequired = config.ClientCertificates!.Mode == ClientCertificateMode.Required;
        options.ClientCertificateRequired = true;
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true, // a stranger's certificate does not tell the gateway what to connect to
        };
        options.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        options.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            certificate is null ? !isRequired : errors == SslPolicyErrors.None;
    }
}
