using Lintel.Identities.Providers;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Identities.Providers;

public sealed class IssuedTokensTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));
    private readonly IssuedTokens _tokens;
    private int _requests;
    private int _notRenewed;

    public IssuedTokensTests() => _tokens = new IssuedTokens(_time, _ => Interlocked.Increment(ref _notRenewed));

    [Fact]
    public async Task Token_IsKeptUntilShortlyBeforeItsEnd_AndRenewedInTheBackground()
    {
        Assert.Equal("t1", (await GetAsync("a", 100)).Value);
        Assert.Equal("t1", (await GetAsync("a", 100)).Value);
        _time.Advance(TimeSpan.FromSeconds(76));
        Assert.Equal("t1", (await GetAsync("a", 100)).Value); // and a new one is requested
        await Until.TrueAsync(async () => (await GetAsync("a", 100)).Value == "t2");
        Assert.Equal(2, _requests);
        _time.Advance(TimeSpan.FromSeconds(91));
        Assert.Equal("t3", (await GetAsync("a", 100)).Value);
    }

    [Fact]
    public async Task Tokens_OfTwoCallers_AreNeverMixed()
    {
        var a = await GetAsync("a", 100);
        var b = await GetAsync("b", 100);
        Assert.NotEqual(a.Value, b.Value);
        Assert.Equal((a.Value, b.Value), ((await GetAsync("a", 100)).Value, (await GetAsync("b", 100)).Value));
    }

    [Fact]
    public async Task Callers_AtTheSameTime_CauseOneRequest()
    {
        var answer = new TaskCompletionSource<IssuedToken>();
        var all = Enumerable.Range(0, 20).Select(_ => _tokens.GetAsync("a", RequestAsync, default).AsTask()).ToList();
        answer.SetResult(new IssuedToken("t", null, _time.GetUtcNow().AddMinutes(1), null));
        Assert.All(await Task.WhenAll(all), t => Assert.Equal("t", t.Value));
        Assert.Equal(1, _requests);

        Task<IssuedToken> RequestAsync()
        {
            Interlocked.Increment(ref _requests);
            return answer.Task;
        }
    }

    [Fact]
    public async Task Refusal_IsRememberedForAFewSeconds()
    {
        Assert.Equal("invalid_grant", (await RefusedAsync()).Error);
        Assert.Equal("invalid_grant", (await RefusedAsync()).Error);
        Assert.Equal(1, _requests);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("t2", (await GetAsync("a", 100)).Value);

        async Task<IssuedToken> RefusedAsync() =>
            await _tokens.GetAsync(
                "a",
                () =>
                {
                    _requests++;
                    return Task.FromResult(IssuedToken.Refused("invalid_grant"));
                },
                default
            );
    }

    [Fact]
    public async Task Token_ThatIsStillGood_IsUsedWhileTheProviderIsDown()
    {
        Assert.Equal("t1", (await GetAsync("a", 100)).Value);
        _time.Advance(TimeSpan.FromSeconds(80));
        Assert.Equal("t1", (await FailAsync()).Value);
        await Until.TrueAsync(() => _notRenewed == 1);
        _time.Advance(TimeSpan.FromSeconds(15));
        await Assert.ThrowsAsync<ProviderException>(async () => await FailAsync());
        await Until.TrueAsync(async () => (await GetAsync("a", 100)).Value.StartsWith('t'));

        async Task<IssuedToken> FailAsync() =>
            await _tokens.GetAsync(
                "a",
                () =>
                {
                    _requests++;
                    return Task.FromException<IssuedToken>(new ProviderException("down"));
                },
                default
            );
    }

    [Fact]
    public async Task Requests_BeyondTheBound_FailAtOnce()
    {
        var answer = new TaskCompletionSource<IssuedToken>();
        var all = Enumerable.Range(0, 64).Select(i => _tokens.GetAsync($"{i}", () => answer.Task, default).AsTask()).ToList();
        await Assert.ThrowsAsync<ProviderException>(async () => await _tokens.GetAsync("more", () => answer.Task, default));
        answer.SetResult(new IssuedToken("t", null, _time.GetUtcNow().AddMinutes(1), null));
        await Task.WhenAll(all);
        Assert.Equal("t", (await _tokens.GetAsync("more", () => answer.Task, default)).Value);
    }

    [Fact]
    public async Task Tokens_AreBounded()
    {
        for (var i = 0; i < 10_100; i++)
            await GetAsync($"{i}", 100);
        Assert.Equal(10_000, _tokens.Count);
    }

    private async Task<IssuedToken> GetAsync(string key, int seconds) =>
        await _tokens.GetAsync(
            key,
            () =>
            {
                var number = Interlocked.Increment(ref _requests);
                return Task.FromResult(new IssuedToken($"t{number}", null, _time.GetUtcNow().AddSeconds(seconds), null));
            },
            default
        );
}
