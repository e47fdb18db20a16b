using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using Lintel.Identities.Providers;
using Lintel.Identities.Tokens;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Benchmarks;

/// <summary>
/// A token of some 600 bytes: its signature alone, verified by the gateway, found in the memory of verified tokens, and verified by
/// Microsoft.IdentityModel, which is given its validation parameters once.
/// </summary>
[MemoryDiagnoser]
public class TokenBenchmarks
{
    private const string Issuer = "https://id.example.com";

    private readonly TokenCache<object> _known = new(10_000);
    private readonly JsonWebTokenHandler _handler = new();
    private string _token = "";
    private byte[] _signed = [];
    private byte[] _signature = [];
    private SignatureAlgorithm _algorithm = SignatureAlgorithm.All[0];
    private VerificationKey _key = null!;
    private TokenVerifier _verifier = null!;
    private TokenValidationParameters _parameters = null!;

    [Params("ES256", "RS256")]
    public string Algorithm { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        using AsymmetricAlgorithm key = Algorithm == "ES256" ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : RSA.Create(2048);
        SecurityKey signing = key is RSA rsa ? new RsaSecurityKey(rsa) : new ECDsaSecurityKey((ECDsa)key);
        _token = _handler.CreateToken(
            new SecurityTokenDescriptor
            {
                Issuer = Issuer,
                Audience = "shop",
                Expires = DateTime.UtcNow.AddDays(1),
                Claims = new Dictionary<string, object>
                {
                    ["sub"] = "kim",
                    ["scope"] = "orders.read orders.write",
                    ["pad"] = new string('a', 200),
                },
                SigningCredentials = new SigningCredentials(signing, Algorithm),
            }
        );
        var end = _token.LastIndexOf('.');
        (_signed, _signature) = (Encoding.ASCII.GetBytes(_token[..end]), Base64UrlEncoder.DecodeBytes(_token[(end + 1)..]));
        (_key, _algorithm) = (VerificationKey.Of(key), SignatureAlgorithm.Find(Algorithm)!);
        var file = Path.GetTempFileName();
        var pem = key is RSA r ? r.ExportSubjectPublicKeyInfoPem() : ((ECDsa)key).ExportSubjectPublicKeyInfoPem();
        File.WriteAllText(file, pem);
        _verifier = new TokenVerifier(
            new TokenRules(Issuer) { Audiences = ["shop"] },
            KeySource.OfFile(file, TimeProvider.System),
            TimeProvider.System
        );
        File.Delete(file);
        _known.Set(TokenHash.Of(_token), this, DateTimeOffset.MaxValue);
        SecurityKey verifying =
            key is RSA
                ? new RsaSecurityKey(((RSA)key).ExportParameters(false))
                : new ECDsaSecurityKey(ECDsa.Create(((ECDsa)key).ExportParameters(false)));
        _parameters = new TokenValidationParameters
        {
            ValidIssuer = Issuer,
            ValidAudience = "shop",
            IssuerSigningKey = verifying,
        };
    }

    [Benchmark(Baseline = true)]
    public bool SignatureAlone() => _key.Verify(_algorithm, _signed, _signature);

    [Benchmark]
    public async ValueTask<bool> Verified() =>
        SignedToken.TryParse(_token, out var token, out _)
        && (await _verifier.VerifyAsync(token, CancellationToken.None).ConfigureAwait(false)).Claims is not null;

    [Benchmark]
    public bool Known() => _known.TryGet(TokenHash.Of(_token), TimeProvider.System.GetUtcNow(), out _);

    [Benchmark]
    public async Task<bool> IdentityModel() => (await _handler.ValidateTokenAsync(_token, _parameters).ConfigureAwait(false)).IsValid;
}
