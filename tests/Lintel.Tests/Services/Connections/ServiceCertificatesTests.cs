using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Connections;

namespace Lintel.Tests.Services.Connections;

public sealed class ServiceCertificatesTests : IDisposable
{
    private static readonly TimeoutsConfig Defaults = new();

    private readonly string _folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;

    private ServiceConfig Config =>
        new()
        {
            Instances = [new InstanceConfig { Address = new Uri("https://10.0.0.1") }],
            Tls = new ServiceTlsConfig { Certificate = Path.Combine(_folder, "a.pem"), KeyPath = Path.Combine(_folder, "a.key") },
        };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Acquire_AfterTheCertificateWasRenewed_MakesTheConnectionsAnew()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        Write(Certificate(), certificate: true, key: true);
        var first = registry.Acquire("s", Config, Defaults);
        Assert.Same(first, registry.Acquire("s", Config, Defaults));
        Write(Certificate(), certificate: true, key: true);
        var second = registry.Acquire("s", Config, Defaults);
        Assert.NotSame(first.Invoker, second.Invoker);
        Assert.NotSame(first.Instances.All[0], second.Instances.All[0]); // an instance owns its connections
        Assert.Same(second, registry.Acquire("s", Config, Defaults));
    }

    [Theory]
    [InlineData("ec")]
    [InlineData("rsa")]
    public void Acquire_WithAKeyOfAnotherCertificate_IsACryptographicException(string kind)
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        Write(Certificate(kind), certificate: true, key: false);
        Write(Certificate(kind), certificate: false, key: true);
        Assert.ThrowsAny<CryptographicException>(() => registry.Acquire("s", Config, Defaults));
    }

    [Fact]
    public void Fingerprint_OfAServiceWithoutTls_IsNothing() =>
        Assert.Equal(
            "",
            ServiceCertificates
                .Read(Config with { Instances = [new InstanceConfig { Address = new Uri("http://10.0.0.1") }] })
                .Fingerprint()
        );

    private static (string Certificate, string Key) Certificate(string kind = "ec")
    {
        var from = TimeProvider.System.GetUtcNow().AddDays(-1);
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var rsa = RSA.Create(2048);
        var request =
            kind == "ec"
                ? new CertificateRequest("CN=a", ec, HashAlgorithmName.SHA256)
                : new CertificateRequest("CN=a", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(from, from.AddDays(2));
        return (certificate.ExportCertificatePem(), kind == "ec" ? ec.ExportPkcs8PrivateKeyPem() : rsa.ExportPkcs8PrivateKeyPem());
    }

    private void Write((string Certificate, string Key) pair, bool certificate, bool key)
    {
        if (certificate)
            File.WriteAllText(Path.Combine(_folder, "a.pem"), pair.Certificate);
        if (key)
            File.WriteAllText(Path.Combine(_folder, "a.key"), pair.Key);
    }
}
