using System.Security.Cryptography;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Lintel.Carriers;
using Lintel.Identities;
using Lintel.Pipeline;
using Lintel.Policies.Identity;

namespace Lintel.Benchmarks;

/// <summary>The gateway's token about a caller: one that is reused, and a new one.</summary>
[MemoryDiagnoser]
public class IdentityBenchmarks
{
    private readonly string _file = Path.GetTempFileName();
    private readonly Clock _clock = new();
    private readonly Exchange _exchange = new();
    private TokenSigner _signer = null!;

    [Params("ES256", "RS256")]
    public string Algorithm { get; set; } = "";

    [GlobalSetup]
    public void Compile()
    {
        using AsymmetricAlgorithm key = Algorithm == "RS256" ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(_file, key.ExportPkcs8PrivateKeyPem());
        _signer = new TokenSigner(
            new IdentityTokenConfig
            {
                Key = [_file],
                Audience = ["internal"],
                Claims = ["roles"],
            },
            _clock
        );
        var snapshot = Compiled.Snapshot("routes: { r: { match: /x, respond: {} } }", Compiled.Metrics());
        _exchange.Begin(new ClientRequest(Requests.Plain("/x")), snapshot, 0);
        var claims = JsonElement.Parse("""{ "sub": "kim", "scope": "orders.read orders.write", "roles": ["user", "buyer"] }""");
        _exchange.Authenticate(new CallerIdentity("jwt", new ClaimSet(claims)), default);
    }

    [GlobalCleanup]
    public void Delete()
    {
        _signer.Dispose();
        File.Delete(_file);
    }

    [Benchmark(Baseline = true)]
    public string? Reused() => _signer.For(_exchange);

    [Benchmark]
    public string? New()
    {
        _clock.Now += TimeSpan.FromMinutes(1);
        return _signer.For(_exchange);
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
