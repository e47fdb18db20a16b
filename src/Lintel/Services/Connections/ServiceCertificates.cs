using System.Security.Cryptography;
using System.Text;
using Lintel.Config;

namespace Lintel.Services.Connections;

/// <summary>The content of a service's certificate files. Read once, so that the compared content is the one in use.</summary>
internal sealed class ServiceCertificates
{
    public static ServiceCertificates None { get; } = new();

    /// <summary>PEM text of the certificate authorities; <see langword="null"/> to trust those of the machine.</summary>
    public string? Authorities { get; private init; }

    /// <summary>PEM text of the client certificate.</summary>
    public string? Certificate { get; private init; }

    /// <summary>PEM text of its private key.</summary>
    public string? Key { get; private init; }

    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    public static ServiceCertificates Read(ServiceConfig config) =>
        config.Tls == NoTls || !UsesTls(config)
            ? None
            : new ServiceCertificates
            {
                Authorities = Text(config.Tls.Authorities),
                Certificate = Text(config.Tls.Certificate),
                Key = Text(config.Tls.KeyPath),
            };

    public static bool UsesTls(ServiceConfig config) =>
        (config.Discover?.Scheme ?? (config.Instances is [{ } first, ..] ? first.Address.Scheme : null)) == Uri.UriSchemeHttps;

    /// <summary>A hash that identifies the content without keeping a private key's text in memory.</summary>
    public string Fingerprint() =>
        this == None ? "" : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Authorities}\0{Certificate}\0{Key}")));

    private static ServiceTlsConfig NoTls { get; } = new();

    private static string? Text(string? file) => file is null ? null : File.ReadAllText(file);
}
