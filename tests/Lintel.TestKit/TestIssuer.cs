using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Lintel.TestKit;

/// <summary>A key that signs tokens of any content, right or wrong.</summary>
public sealed class TestIssuer : IDisposable
{
    private readonly RSA? _rsa;
    private readonly ECDsa? _ec;

    /// <param name="algorithm">ES256, ES384, ES512, RS256, PS256 and so on.</param>
    /// <param name="id">The <c>kid</c>; <see langword="null"/> for none.</param>
    public TestIssuer(string algorithm = "ES256", string? id = "k1")
    {
        ArgumentNullException.ThrowIfNull(algorithm);
        (Algorithm, Id) = (algorithm, id);
        if (algorithm[0] == 'E')
            _ec = ECDsa.Create(CurveOf(algorithm));
        else
            _rsa = RSA.Create(2048);
    }

    public string Algorithm { get; }

    public string? Id { get; }

    /// <summary>The public key as a JWK.</summary>
    public JsonObject Jwk
    {
        get
        {
            var jwk = new JsonObject();
            if (_rsa is not null)
            {
                var key = _rsa.ExportParameters(false);
                (jwk["kty"], jwk["n"], jwk["e"]) = ("RSA", Encode(key.Modulus!), Encode(key.Exponent!));
            }
            else
            {
                var key = _ec!.ExportParameters(false);
                (jwk["kty"], jwk["crv"]) = (
                    "EC",
                    Algorithm switch
                    {
                        "ES256" => "P-256",
                        "ES384" => "P-384",
                        _ => "P-521",
                    }
                );
                (jwk["x"], jwk["y"]) = (Encode(key.Q.X!), Encode(key.Q.Y!));
            }

            if (Id is not null)
                jwk["kid"] = Id;
            return jwk;
        }
    }

    /// <summary>The public key in PEM.</summary>
    public string Pem => ((AsymmetricAlgorithm?)_rsa ?? _ec!).ExportSubjectPublicKeyInfoPem();

    /// <summary>A JWK set of the keys of issuers.</summary>
    public static string Jwks(params TestIssuer[] issuers) =>
        new JsonObject { ["keys"] = new JsonArray([.. issuers.Select(i => (JsonNode)i.Jwk)]) }.ToJsonString();

    /// <summary>base64url.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>base64url.</summary>
    public static string Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>A token with the usual header.</summary>
    public string Sign(JsonObject claims)
    {
        ArgumentNullException.ThrowIfNull(claims);
        return Sign(
            new JsonObject
            {
                ["alg"] = Algorithm,
                ["typ"] = "at+jwt",
                ["kid"] = Id,
            },
            claims
        );
    }

    /// <summary>A token with any header.</summary>
    public string Sign(JsonObject header, JsonObject claims)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(claims);
        foreach (var absent in header.Where(m => m.Value is null).Select(m => m.Key).ToList())
            header.Remove(absent);
        return Sign(header.ToJsonString(), claims.ToJsonString());
    }

    /// <summary>A token of any text, signed with this key's algorithm, whatever the header says.</summary>
    public string Sign(string header, string claims)
    {
        var signed = $"{Encode(header)}.{Encode(claims)}";
        return $"{signed}.{Encode(SignatureOf(Encoding.ASCII.GetBytes(signed)))}";
    }

    /// <summary>A DPoP proof (RFC 9449) with this key.</summary>
    public string Prove(string method, string url, string token, DateTimeOffset now, Action<JsonObject>? change = null)
    {
        var claims = new JsonObject
        {
            ["jti"] = Guid.NewGuid().ToString(),
            ["htm"] = method,
            ["htu"] = url,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["ath"] = Encode(SHA256.HashData(Encoding.ASCII.GetBytes(token))),
        };
        change?.Invoke(claims);
        var jwk = Jwk;
        jwk.Remove("kid");
        return Sign(
            new JsonObject
            {
                ["typ"] = "dpop+jwt",
                ["alg"] = Algorithm,
                ["jwk"] = jwk,
            },
            claims
        );
    }

    /// <summary>The key's thumbprint (RFC 7638).</summary>
    public string Thumbprint
    {
        get
        {
            var members = Jwk.Where(m => m.Key is not "kid").OrderBy(m => m.Key, StringComparer.Ordinal);
            var text = $"{{{string.Join(',', members.Select(m => $"\"{m.Key}\":{m.Value!.ToJsonString()}"))}}}";
            return Encode(SHA256.HashData(Encoding.ASCII.GetBytes(text)));
        }
    }

    public void Dispose()
    {
        _rsa?.Dispose();
        _ec?.Dispose();
    }

    private byte[] SignatureOf(byte[] signed)
    {
        var hash = Algorithm[^3..] switch
        {
            "256" => HashAlgorithmName.SHA256,
            "384" => HashAlgorithmName.SHA384,
            _ => HashAlgorithmName.SHA512,
        };
        return _ec is not null
            ? _ec.SignData(signed, hash)
            : _rsa!.SignData(signed, hash, Algorithm[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1);
    }

    private static ECCurve CurveOf(string algorithm) =>
        algorithm switch
        {
            "ES256" => ECCurve.NamedCurves.nistP256,
            "ES384" => ECCurve.NamedCurves.nistP384,
            _ => ECCurve.NamedCurves.nistP521,
        };
}
