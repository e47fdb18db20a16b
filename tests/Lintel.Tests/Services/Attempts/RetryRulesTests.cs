using Lintel.Config;
using Lintel.Services.Attempts;

namespace Lintel.Tests.Services.Attempts;

public sealed class RetryRulesTests
{
    [Fact]
    public void Backoff_IsARandomTimeUpToABoundThatGrows()
    {
        var rules = Rules(new RetryConfig());
        for (var retry = 1; retry <= 12; retry++)
        {
            var bound = Math.Min(250, 25 * ((1 << retry) - 1));
            var waits = Enumerable.Range(0, 2000).Select(_ => rules.Backoff(retry).TotalMilliseconds).ToList();
            Assert.InRange(waits.Max(), bound * 0.95, bound);
            Assert.InRange(waits.Min(), 0, bound * 0.05);
            Assert.InRange(waits.Average(), bound * 0.45, bound * 0.55);
        }

        Assert.InRange(rules.Backoff(int.MaxValue).TotalMilliseconds, 0, 250);
    }

    [Fact]
    public void Conditions_AreThoseOfTheList()
    {
        var rules = Rules(
            new RetryConfig { On = [RetryCondition.Timeout, RetryCondition.FromStatus(429), RetryCondition.FromGrpcStatus(14)] }
        );
        Assert.Equal(
            (false, false, true, false, true),
            (rules.OnConnect, rules.OnReset, rules.OnTimeout, rules.OnNotProcessed, rules.HasStatuses)
        );
        Assert.True(rules.Takes(429, null));
        Assert.False(rules.Takes(503, null));
        Assert.True(rules.Takes(200, 14));
        Assert.False(rules.Takes(200, 13));
        Assert.False(rules.Takes(999, 99));
    }

    [Fact]
    public void Defaults_RetryWhatWasNotSentOnly()
    {
        Assert.True(RetryRules.Default is { OnConnect: true, RetriesWhatWasSent: false, Most: 3, Budget: null, BufferUpTo: 0 });
        var written = Rules(new RetryConfig());
        Assert.True(written is { OnConnect: true, OnReset: true, OnNotProcessed: true, OnTimeout: false });
        Assert.All([502, 503, 504], s => Assert.True(written.Takes(s, null)));
        Assert.False(written.Takes(500, null));
    }

    private static RetryRules Rules(RetryConfig config) => new(config, TimeProvider.System, new Random(3));
}
