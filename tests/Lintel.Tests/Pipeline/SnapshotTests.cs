using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Tests.Pipeline;

public sealed class SnapshotTests
{
    [Fact]
    public void Retire_WithoutRequests_HappensAtOnce()
    {
        var retired = 0;
        var snapshot = Make(() => retired++);
        snapshot.Retire();
        Assert.Equal(1, retired);
        Assert.False(snapshot.TryEnter());
        Assert.Equal(1, retired);
    }

    [Fact]
    public void Retire_WithRequests_WaitsForTheLast()
    {
        var retired = 0;
        var snapshot = Make(() => retired++);
        Assert.True(snapshot.TryEnter());
        Assert.True(snapshot.TryEnter());
        snapshot.Exit();
        snapshot.Retire();
        Assert.Equal(0, retired);
        Assert.False(snapshot.TryEnter());
        Assert.Equal(0, retired);
        snapshot.Exit();
        Assert.Equal(1, retired);
        Assert.False(snapshot.TryEnter());
        Assert.Equal(1, retired);
    }

    [Fact]
    public void Holder_BeforeTheFirstSnapshot_GivesNone() => Assert.Null(new SnapshotHolder().Enter());

    [Fact]
    public void Holder_AfterASwap_GivesTheNewOneAndRetiresTheOld()
    {
        var retired = new List<string>();
        var holder = new SnapshotHolder();
        var (first, second) = (Make(() => retired.Add("first")), Make(() => retired.Add("second")));
        holder.Swap(first);
        var entered = holder.Enter();
        Assert.Same(first, entered);
        holder.Swap(second);
        Assert.Same(second, holder.Enter());
        Assert.Empty(retired);
        entered!.Exit();
        Assert.Equal(["first"], retired);
    }

    /// <summary>
    /// Requests enter and exit on all processors while snapshots are replaced: each is retired exactly once, and not while it is used.
    /// </summary>
    [Fact]
    public async Task Snapshots_ReplacedUnderLoad_RetireExactlyOnceAndUnused()
    {
        const int Swaps = 2_000;
        var retired = new int[Swaps + 1];
        var using_ = new int[Swaps + 1];
        var offences = 0;
        var index = new System.Runtime.CompilerServices.ConditionalWeakTable<Snapshot, object>();
        var holder = new SnapshotHolder();
        Snapshot Next(int i)
        {
            var snapshot = Make(() =>
            {
                Interlocked.Increment(ref retired[i]);
                if (Volatile.Read(ref using_[i]) != 0)
                    Interlocked.Increment(ref offences);
            });
            index.Add(snapshot, i);
            return snapshot;
        }

        holder.Swap(Next(0));
        using var stop = new CancellationTokenSource();
        var requests = 0L;
        var clients = Enumerable
            .Range(0, 4)
            .Select(_ =>
                Task.Run(
                    () =>
                    {
                        while (!stop.IsCancellationRequested)
                        {
                            var snapshot = holder.Enter()!;
                            index.TryGetValue(snapshot, out var i);
                            Interlocked.Increment(ref using_[(int)i!]);
                            Interlocked.Increment(ref requests);
                            Interlocked.Decrement(ref using_[(int)i]);
                            snapshot.Exit();
                        }
                    },
                    TestContext.Current.CancellationToken
                )
            )
            .ToArray();
        SpinWait.SpinUntil(() => Interlocked.Read(ref requests) > 1_000);
        for (var i = 1; i <= Swaps; i++)
            holder.Swap(Next(i));
        await stop.CancelAsync();
        await Task.WhenAll(clients);

        Assert.Equal(0, offences);
        Assert.All(retired[..^1], count => Assert.Equal(1, count));
        Assert.Equal(0, retired[^1]);
    }

    private static Snapshot Make(Action onRetired) =>
        new(RouteTableBuilder.Build<Route>([], []), new GatewayIdentity("lintel", "lintel"), new TrustedProxies([]), onRetired);
}
