using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lintel.Services.Connections;

namespace Lintel.Tests.Services.Connections;

public sealed class CertificateProblemTests
{
    [Theory]
    [InlineData("2020-01-01", "api.internal", true, SslPolicyErrors.RemoteCertificateChainErrors, "has expired")]
    [InlineData(
        "2199-01-01",
        "other.internal",
        true,
        SslPolicyErrors.RemoteCertificateNameMismatch,
        "is not for `api.internal` but for `other.internal`"
    )]
    [InlineData("2199-01-01", "api.internal", false, SslPolicyErrors.RemoteCertificateChainErrors, "authority that is not")]
    public void Problem_OfACertificate_IsNamedWithTheCertificate(
        string until,
        string name,
        bool isTrusted,
        SslPolicyErrors errors,
        string expected
    )
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=service seven", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(
            new DateTimeOffset(2019, 1, 1, 0, 0, 0, TimeSpan.Zero),
            DateTimeOffset.Parse(until, System.Globalization.CultureInfo.InvariantCulture)
        );
        using var chain = new X509Chain
        {
            ChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            },
        };
        if (isTrusted)
            chain.ChainPolicy.CustomTrustStore.Add(certificate);
        chain.Build(certificate);
        var text = CertificateProblem.Describe(certificate, chain, errors, "api.internal");
        Assert.Contains("CN=service seven", text, StringComparison.Ordinal);
        Assert.Contains(certificate.SerialNumber, text, StringComparison.Ordinal);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Problem_WithoutACertificate_SaysSo() =>
        Assert.Contains(
            "no certificate",
            CertificateProblem.Describe(null, null, SslPolicyErrors.RemoteCertificateNotAvailable, "a"),
            StringComparison.Ordinal
        );
}
