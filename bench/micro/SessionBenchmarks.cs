using BenchmarkDotNet.Attributes;
using Lintel.Identities;
using Lintel.Policies.Session;
using Lintel.State;

namespace Lintel.Benchmarks;

/// <summary>What a request of a session costs before it is authorized: the session of its cookie is looked up among 10 000.</summary>
[MemoryDiagnoser]
public class SessionBenchmarks
{
    private readonly ExpiringStore _store = new(TimeProvider.System);
    private SessionStore _sessions = null!;
    private string _id = null!;

    [GlobalSetup]
    public async Task Setup()
    {
        var config = new SessionConfig
        {
            Issuer = "https://id.example.com",
            ClientId = "shop",
            ClientSecret = "secret",
        };
        _sessions = new SessionStore(_store, config, "login", TimeProvider.System);
        for (var i = 0; i < 10_000; i++)
        {
            _id = SessionStore.NewId();
            await _sessions.AddAsync(_sessions.KeyOf(_id)!, Session(i), CancellationToken.None).ConfigureAwait(false);
        }
    }

    [GlobalCleanup]
    public void Cleanup() => _store.Dispose();

    [Benchmark]
    public async ValueTask<bool> Find() =>
        await _sessions.FindAsync(_sessions.KeyOf(_id)!, isUse: true, CancellationToken.None).ConfigureAwait(false) is not null;

    private static UserSession Session(int number) =>
        new()
        {
            Claims = ClaimSet.Of(
                new()
                {
                    ["sub"] = $"user-{number}",
                    ["sid"] = $"session-{number}",
                    ["email"] = "kim@example.com",
                }
            ),
            Begun = TimeProvider.System.GetUtcNow(),
            Ends = TimeProvider.System.GetUtcNow().AddHours(12),
            Tokens = new SessionTokens(new string('a', 1200), new string('i', 900)) { Refresh = new string('r', 64) },
        };
}
