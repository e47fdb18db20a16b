using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Identities.Providers;

/// <summary>The gateway's own keys that sign tokens.</summary>
internal static class SigningKey
{
    /// <summary>The shortest RSA key: RFC 7518 section 3.3.</summary>
    private const int LeastRsaBits = 2048;

    /// <summary>Loads a private key, with the algorithm that it signs with: RS256, ES256, ES384 or ES512.</summary>
    /// <param name="file">A PEM file with an RSA or EC key that is not encrypted.</param>
    /// <param name="id">The <c>kid</c>; <see langword="null"/> for none.</param>
    /// <exception cref="FormatException">The file does not hold such a key.</exception>
    public static (AsymmetricAlgorithm Key, SigningCredentials Credentials) Load(string file, string? id)
    {
        var pem = File.ReadAllText(file);
        var rsa = RSA.Create();
        try
        {
            rsa.ImportFromPem(pem);
            if (rsa.KeySize < LeastRsaBits)
                throw new FormatException($"the RSA key in {file} has {rsa.KeySize} bits: it needs at least {LeastRsaBits}");
            _ = rsa.SignData([1], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1); // it must be the private one
            return (rsa, new SigningCredentials(new RsaSecurityKey(rsa) { KeyId = id }, SecurityAlgorithms.RsaSha256));
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            rsa.Dispose();
        }

        var ec = ECDsa.Create();
        try
        {
            ec.ImportFromPem(pem);
            _ = ec.SignData([1], HashAlgorithmName.SHA256);
            var algorithm = ec.KeySize switch
            {
                256 => SecurityAlgorithms.EcdsaSha256,
                384 => SecurityAlgorithms.EcdsaSha384,
                521 => SecurityAlgorithms.EcdsaSha512,
                _ => throw new FormatException($"the EC key in {file} is not on the curve P-256, P-384 or P-521"),
            };
            return (ec, new SigningCredentials(new ECDsaSecurityKey(ec) { KeyId = id }, algorithm));
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            ec.Dispose();
            throw new FormatException($"{file} does not hold a private RSA or EC key in PEM without a password", e);
        }
    }
}
