using Lintel.Services.Attempts;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Attempts;

public sealed class RetryBudgetTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Retries_AreAShareOfTheRequests_AndAFewAlways()
    {
        var budget = new RetryBudget(20, _time);
        Assert.Equal(30, Withdraw(budget, 100)); // 3/s over 10 s, without any request
        _time.Advance(TimeSpan.FromSeconds(11));
        for (var i = 0; i < 1000; i++)
            budget.Deposit(_time.GetTimestamp());
        Assert.Equal(230, Withdraw(budget, 1000));
        Assert.Equal(0, budget.Left(_time.GetTimestamp()));
    }

    [Fact]
    public void EveryRequestThatFails_MakesAtMostAFifthMoreLoad()
    {
        var budget = new RetryBudget(20, _time);
        var (requests, retries) = (0, 0);
        for (var i = 0; i < 60_000; i++) // 1000/s for a minute, each wants two retries
        {
            budget.Deposit(_time.GetTimestamp());
            requests++;
            retries += Withdraw(budget, 2);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange((double)retries / requests, 0.19, 0.205);
    }

    private int Withdraw(RetryBudget budget, int times) => Enumerable.Range(0, times).Count(_ => budget.TryWithdraw(_time.GetTimestamp()));
}
