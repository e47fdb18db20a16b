using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Lintel.Bench.Clients;

/// <summary>Signed tokens that are all different, and the key set that verifies them.</summary>
internal static class Tokens
{
    /// <summary>Writes <c>keys.json</c> and, one token a line, <c>RS256.txt</c> and <c>ES256.txt</c>.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="count">The number of tokens of each algorithm.</param>
    public static int Write(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        using var rsa = RSA.Create(2048);
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (modulus, point) = (rsa.ExportParameters(false), ec.ExportParameters(false).Q);
        File.WriteAllText(
            Path.Combine(folder, "keys.json"),
            $$"""
            { "keys": [
              { "kty": "RSA", "kid": "RS256", "use": "sig", "alg": "RS256", "n": "{{Text(modulus.Modulus!)}}", "e": "{{Text(
                modulus.Exponent!
            )}}" },
              { "kty": "EC", "kid": "ES256", "use": "sig", "alg": "ES256", "crv": "P-256", "x": "{{Text(point.X!)}}", "y": "{{Text(
                point.Y!
            )}}" }
            ] }
            """
        );
        Write(folder, "RS256", count, signed => rsa.SignData(signed, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        Write(folder, "ES256", count, signed => ec.SignData(signed, HashAlgorithmName.SHA256));
        return 0;
    }

    private static void Write(string folder, string algorithm, int count, Func<byte[], byte[]> sign)
    {
        var header = Text(Encoding.ASCII.GetBytes($$"""{"alg":"{{algorithm}}","typ":"at+jwt","kid":"{{algorithm}}"}"""));
        var issued = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        using var file = File.CreateText(Path.Combine(folder, algorithm + ".txt"));
        for (var i = 0; i < count; i++)
        {
            var claims = string.Create(
                CultureInfo.InvariantCulture,
                $$"""{"iss":"https://id.example.com","aud":"shop","sub":"user-{{i}}","client_id":"app","scope":"orders.read users.read","iat":{{issued}},"exp":{{issued + 86400}},"jti":"{{Guid.NewGuid():N}}"}"""
            );
            var signed = header + "." + Text(Encoding.ASCII.GetBytes(claims));
            file.WriteLine(signed + "." + Text(sign(Encoding.ASCII.GetBytes(signed))));
        }
    }

    private static string Text(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
