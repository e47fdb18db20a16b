using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Listeners;

/// <summary>
/// A listener's certificates and authorities as they were read from their files. A reload puts a new one in; handshakes under way keep
/// theirs.
/// </summary>
/// <remarks>Never disposed, because a handshake may still use it. Unreachable objects are garbage-collected.</remarks>
internal sealed class CertificateStore
{
    private readonly Dictionary<string, SslStreamCertificateContext> _exact = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, SslStreamCertificateContext> _wildcards = new(StringComparer.OrdinalIgnoreCase);
    private readonly SslStreamCertificateContext? _fallback;
    private readonly bool _isStrict;

    /// <summary>Reads the files.</summary>
    /// <exception cref="CryptographicException">A file is no certificate, or key and certificate do not belong together.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file cannot be read.</exception>
    public CertificateStore(ListenerConfig config)
    {
        foreach (var certificate in config.Certificates)
        {
            var context = Read(certificate);
            foreach (var host in certificate.Hosts)
            {
                if (host.StartsWith("*.", StringComparison.Ordinal))
                    _wildcards[host[2..]] = context;
                else
                    _exact[host] = context;
            }

            if (certificate.Hosts.Count == 0)
                _fallback ??= context;
        }

        _isStrict = _fallback is null;
        if (config.ClientCertificates is { } clients)
            ClientAuthorities = ReadAuthorities(clients.Authorities);
    }

    /// <summary>
    /// The certificate authorities for client certificates; <see langword="null"/> if client certificates are not requested.
    /// </summary>
    public X509Certificate2Collection? ClientAuthorities { get; }

    /// <summary>The certificate for a server name; <see langword="null"/> if there is none, and the handshake has to be refused.</summary>
    /// <param name="serverName">The server name of the client; empty or <see langword="null"/> if it sends none.</param>
    public SslStreamCertificateContext? Find(string? serverName)
    {
        if (string.IsNullOrEmpty(serverName))
            return _fallback ?? _exact.Values.Concat(_wildcards.Values).FirstOrDefault();
        serverName = HostNames.ToAscii(serverName.TrimEnd('.')); // .NET decodes the A-labels that the client sent
        if (_exact.TryGetValue(serverName, out var context))
            return context;
        var dot = serverName.IndexOf('.');
        if (dot > 0 && _wildcards.TryGetValue(serverName[(dot + 1)..], out context))
            return context;
        return _isStrict ? null : _fallback;
    }

    private static SslStreamCertificateContext Read(CertificateConfig config)
    {
        var certificate = X509Certificate2.CreateFromPemFile(config.Path, config.KeyPath ?? config.Path);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(config.Path);
        if (chain.Count > 0)
            chain.RemoveAt(0); // the certificate itself
        return SslStreamCertificateContext.Create(certificate, chain, offline: true);
    }

    private static X509Certificate2Collection ReadAuthorities(string file)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(file);
        return authorities.Count > 0
            ? authorities
            : throw new CryptographicException($"`{Path.GetFileName(file)}` contains no certificate");
    }
}
