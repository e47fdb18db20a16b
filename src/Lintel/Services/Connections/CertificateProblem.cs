using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Lintel.Services.Connections;

/// <summary>Describes for the log what is wrong with a service's certificate, and with which one.</summary>
internal static class CertificateProblem
{
    /// <param name="certificate">The certificate of the service.</param>
    /// <param name="chain">The chain that was built for it.</param>
    /// <param name="errors">The errors that .NET reported; at least one.</param>
    /// <param name="name">The expected name.</param>
    public static string Describe(X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors, string name)
    {
        if (certificate is null)
            return "the service presents no certificate";
        var problems = new List<string>();
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            problems.Add($"is not for `{name}` but for {Names(certificate)}");
        foreach (var status in chain?.ChainStatus ?? [])
            problems.Add(Describe(status));
        if (problems.Count == 0)
            problems.Add("is not trusted");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"the certificate {certificate.Subject} (serial {certificate.SerialNumber}, issued by {certificate.Issuer}, valid from "
                + $"{certificate.NotBefore.ToUniversalTime():u} to {certificate.NotAfter.ToUniversalTime():u}) "
                + $"{string.Join(", and ", problems.Distinct())}"
        );
    }

    private static string Describe(X509ChainStatus status) =>
        status.Status switch
        {
            X509ChainStatusFlags.NotTimeValid => "has expired or is not valid yet, or one of its authorities",
            X509ChainStatusFlags.UntrustedRoot => "is signed by an authority that is not trusted (`tls.authorities`)",
            X509ChainStatusFlags.PartialChain =>
                "is signed by an unknown authority (`tls.authorities`, or the service omits an intermediate " + "certificate)",
            X509ChainStatusFlags.NotSignatureValid => "has an invalid signature",
            _ => status.StatusInformation.Trim(),
        };

    private static string Names(X509Certificate2 certificate)
    {
        var names = certificate
            .Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(e => e.EnumerateDnsNames().Concat(e.EnumerateIPAddresses().Select(a => a.ToString())))
            .ToList();
        return names.Count > 0 ? string.Join(", ", names.Select(n => $"`{n}`")) : "no name: it has no subject alternative names";
    }
}
