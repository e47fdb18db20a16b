using Lintel.Identities.Tokens;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Identities.Tokens;

public sealed class TokenCacheTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.Parse("2026-11-28T12:00:00Z");

    [Fact]
    public void Entry_IsKnownUntilItsTime()
    {
        var cache = new TokenCache<string>(10);
        cache.Set(TokenHash.Of("a"), "known", Now.AddSeconds(1));
        Assert.True(cache.TryGet(TokenHash.Of("a"), Now, out var value));
        Assert.Equal("known", value);
        Assert.False(cache.TryGet(TokenHash.Of("a"), Now.AddSeconds(1), out _));
        Assert.False(cache.TryGet(TokenHash.Of("b"), Now, out _));
    }

    [Fact]
    public void Cache_ThatIsFull_KeepsWhatIsUsed()
    {
        var cache = new TokenCache<string>(10);
        for (var i = 0; i < 1000; i++)
        {
            cache.Set(TokenHash.Of($"{i}"), "", Now.AddHours(1));
            Assert.True(cache.Count <= 10);
            if (i > 0)
                Assert.True(cache.TryGet(TokenHash.Of("0"), Now, out _), $"{i}");
        }

        cache.Set(TokenHash.Of("0"), "again", Now.AddHours(1));
        Assert.True(cache.TryGet(TokenHash.Of("0"), Now, out var value));
        Assert.Equal("again", value);
        Assert.Equal(10, cache.Count);
    }

    [Fact]
    public async Task Cache_OfManyThreads_StaysWithinItsBound()
    {
        var cache = new TokenCache<string>(100);
        await Parallel.ForAsync(0, 10_000, (i, _) =>
        {
            var hash = TokenHash.Of($"{i % 300}");
            if (!cache.TryGet(hash, Now, out var known))
                cache.Set(hash, $"{i % 300}", Now.AddHours(1));
            else
                Assert.Equal($"{i % 300}", known);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(100, cache.Count);
    }

    [Fact]
    public void Hash_OfAnyText_IsThatOfItsBytes()
    {
        Assert.NotEqual(TokenHash.Of("a"), TokenHash.Of("b"));
        Assert.Equal(TokenHash.Of(new string('ä', 10_000)), TokenHash.Of(new string('ä', 10_000)));
        Assert.NotEqual(TokenHash.Of(new string('a', 10_000)), TokenHash.Of(new string('a', 10_001)));
    }

    [Fact]
    public void Proof_IsRememberedForItsLifetime_AndRefusedWithoutRoom()
    {
        var time = new FakeTimeProvider();
        var seen = new SeenProofs(TimeSpan.FromSeconds(120), 2, time);
        Assert.True(seen.TryAdd(TokenHash.Of("a")));
        time.Advance(TimeSpan.FromSeconds(119));
        Assert.True(seen.TryAdd(TokenHash.Of("b")));
        Assert.False(seen.TryAdd(TokenHash.Of("a")));
        Assert.Null(seen.TryAdd(TokenHash.Of("c")));
        time.Advance(TimeSpan.FromSeconds(119));
        Assert.True(seen.TryAdd(TokenHash.Of("c")));
        Assert.False(seen.TryAdd(TokenHash.Of("b")));
        time.Advance(TimeSpan.FromSeconds(240));
        Assert.True(seen.TryAdd(TokenHash.Of("b")));
    }
}
