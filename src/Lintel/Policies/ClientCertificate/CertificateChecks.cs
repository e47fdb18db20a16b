using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Lintel.Identities;

namespace Lintel.Policies.ClientCertificate;

/// <summary>Checks client certificates against authorities, and remembers the results for a while.</summary>
/// <remarks>
/// Building a chain takes about a millisecond, and each request of a connection needs the result. Thread rule: any number of callers.
/// </remarks>
internal sealed class CertificateChecks
{
    /// <summary>More certificates than this in an hour are unusual; the memory is then begun anew.</summary>
    private const int MaxRemembered = 4096;

    /// <summary>RFC 5280 section 4.2.1.12: TLS WWW client authentication.</summary>
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private static readonly TimeSpan Memory = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, CertificateCheck> _known = new(StringComparer.Ordinal);
    private readonly X509Certificate2Collection _authorities = [];
    private readonly TimeProvider _time;

    /// <exception cref="CryptographicException">The file holds no certificate.</exception>
    public CertificateChecks(string authorities, TimeProvider time)
    {
        _time = time;
        if (authorities is null) // reported when it was read
            return;
        _authorities.ImportFromPemFile(authorities);
        if (_authorities.Count == 0)
            throw new CryptographicException($"`{Path.GetFileName(authorities)}` contains no certificate");
    }

    /// <summary>Checks a certificate: its chain, its purpose, and the validity of all of the chain.</summary>
    public CertificateCheck Check(X509Certificate2 certificate)
    {
        var thumbprint = Base64Url.EncodeToString(certificate.GetCertHash(HashAlgorithmName.SHA256));
        var now = _time.GetUtcNow();
        if (_known.TryGetValue(thumbprint, out var known) && now < known.Until)
            return known;
        var check = Check(certificate, thumbprint, now);
        if (_known.Count >= MaxRemembered)
            _known.Clear();
        return _known[thumbprint] = check;
    }

    private CertificateCheck Check(X509Certificate2 certificate, string thumbprint, DateTimeOffset now)
    {
        using var chain = new X509Chain
        {
            ChainPolicy =
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true, // an address in the certificate is the client's word
                VerificationTimeIgnored = false,
                VerificationTime = now.LocalDateTime,
            },
        };
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        var isTrusted = chain.Build(certificate);
        var until = chain.ChainElements.Select(e => new DateTimeOffset(e.Certificate.NotAfter)).Append(now + Memory).Min();
        var problem = isTrusted
            ? null
            : $"the certificate of {certificate.Subject} is not trusted: "
                + string.Join("; ", chain.ChainStatus.Select(s => s.StatusInformation.TrimEnd('.', '\n')).Distinct());
        foreach (var element in chain.ChainElements)
            element.Certificate.Dispose();
        // What is refused may become valid: its time may begin.
        return isTrusted
            ? new CertificateCheck(IdentityOf(certificate, thumbprint), null, until)
            : new CertificateCheck(null, problem, now + TimeSpan.FromSeconds(10));
    }

    private static CallerIdentity IdentityOf(X509Certificate2 certificate, string thumbprint)
    {
        var names = CertificateNames.Of(certificate);
        var claims = new JsonObject
        {
            ["sub"] = names.Uris.Concat(names.Dns).Concat(names.Emails).FirstOrDefault(certificate.Subject),
            ["subject"] = certificate.Subject,
            ["issuer"] = certificate.Issuer,
            ["serial"] = certificate.SerialNumber,
            ["x5t#S256"] = thumbprint, // RFC 8705 section 3.1
        };
        Add("dns", names.Dns);
        Add("uri", names.Uris);
        Add("email", names.Emails);
        return new CallerIdentity(ClientCertificateConfig.Key, ClaimSet.Of(claims))
        {
            Certificate = X509CertificateLoader.LoadCertificate(certificate.RawData), // the connection's ends with it
            CertificateNames = names,
            Expires = certificate.NotAfter,
        };

        void Add(string claim, IReadOnlyList<string> values)
        {
            if (values.Count > 0)
                claims[claim] = new JsonArray([.. values.Select(v => (JsonNode)v)]);
        }
    }
}

/// <summary>The result of a check.</summary>
/// <param name="Identity">Who the certificate is for; <see langword="null"/> if it is not trusted.</param>
/// <param name="Problem">Why it is not trusted, for the error log.</param>
/// <param name="Until">When it has to be checked again.</param>
internal sealed record CertificateCheck(CallerIdentity? Identity, string? Problem, DateTimeOffset Until);
