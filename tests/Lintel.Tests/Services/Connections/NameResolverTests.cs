using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Lintel.Services.Connections;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services.Connections;

public sealed class NameResolverTests : IDisposable
{
    private static readonly IPAddress[] Old = [IPAddress.Parse("10.0.0.1")];
    private static readonly IPAddress[] New = [IPAddress.Parse("10.0.0.2"), IPAddress.Parse("10.0.0.3")];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();
    private readonly BlockingCollection<Lookup> _lookups = [];
    private readonly NameResolver _names;

    public NameResolverTests() => _names = new NameResolver(LookUp, _time);

    public void Dispose()
    {
        foreach (var lookup in _lookups)
            lookup.Answer.TrySetResult(Old);
        _lookups.Dispose();
    }

    [Fact]
    public async Task Address_IsItsOwn_AndNobodyIsAsked()
    {
        Assert.Equal([IPAddress.IPv6Loopback], await _names.ResolveAsync("::1", default));
        Assert.Empty(_lookups);
    }

    [Fact]
    public async Task Waiters_OfOneName_ShareALookup()
    {
        var waiters = Enumerable.Range(0, 50).Select(_ => _names.ResolveAsync("a", default).AsTask()).ToArray();
        Next("a").Answer.SetResult(New);
        Assert.All(await Task.WhenAll(waiters).WaitAsync(Patience), found => Assert.Equal(New, found));
        Assert.Empty(_lookups);
    }

    /// <summary>
    /// A resolver that says nothing holds neither the caller's thread nor one of the pool, however many names are asked for.
    /// </summary>
    [Fact]
    public async Task Waiter_OfASilentResolver_LeavesWhenItsTimeIsOver()
    {
        var pool = ThreadPool.ThreadCount;
        using var ends = new CancellationTokenSource();
        var waiters = Enumerable.Range(0, 60).Select(i => _names.ResolveAsync($"n{i}", ends.Token).AsTask()).ToArray();
        for (var i = 0; i < NameResolver.MaxThreads; i++)
            Next(null);
        await ends.CancelAsync();
        foreach (var waiter in waiters)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiter.WaitAsync(Patience));
        Assert.Empty(_lookups); // the others wait for their turn: no more threads than may be
        Assert.InRange(ThreadPool.ThreadCount, 0, pool + 8);
    }

    [Fact]
    public async Task Name_ThatIsKnown_IsNotAskedForAgainForAWhile()
    {
        await FindAsync(Old);
        _time.Advance(NameResolver.Fresh - TimeSpan.FromMilliseconds(1));
        Assert.Equal(Old, await _names.ResolveAsync("A", default)); // names have no case
        Assert.Empty(_lookups);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        var asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetResult(New);
        Assert.Equal(New, await asked.WaitAsync(Patience));
    }

    [Fact]
    public async Task LastGoodAddresses_WhileTheResolverIsSilent_AreUsed()
    {
        await FindAsync(Old);
        _time.Advance(TimeSpan.FromMinutes(10));
        var first = _names.ResolveAsync("a", default).AsTask();
        var silent = Next("a");
        Assert.False(first.IsCompleted);
        await Until(() =>
        {
            _time.Advance(NameResolver.Patience); // the wait may begin a moment after the lookup
            return Task.FromResult(first.IsCompleted);
        });
        Assert.Equal(Old, await first);
        Assert.Equal(Old, await _names.ResolveAsync("a", default)); // who comes later does not even wait
        silent.Answer.SetResult(New);
        await Until(async () => (await _names.ResolveAsync("a", default)).Length == New.Length);
    }

    [Fact]
    public async Task LastGoodAddresses_WhileLookupsFail_AreUsedForAnHour()
    {
        await FindAsync(Old);
        _time.Advance(NameResolver.Lasting - TimeSpan.FromSeconds(10));
        var asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetException(new SocketException((int)SocketError.TryAgain));
        Assert.Equal(Old, await asked.WaitAsync(Patience));
        Assert.Equal(Old, await _names.ResolveAsync("a", default));

        _time.Advance(TimeSpan.FromSeconds(10));
        asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetException(new SocketException((int)SocketError.TryAgain));
        Assert.Equal(SocketError.TryAgain, (await Assert.ThrowsAsync<SocketException>(() => asked.WaitAsync(Patience))).SocketErrorCode);
    }

    [Fact]
    public async Task Name_ThatIsNoMore_IsBelievedToBeGone()
    {
        await FindAsync(Old);
        _time.Advance(NameResolver.Fresh);
        var asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetException(new SocketException((int)SocketError.HostNotFound));
        await Assert.ThrowsAsync<SocketException>(() => asked.WaitAsync(Patience));
        await Assert.ThrowsAsync<SocketException>(() => _names.ResolveAsync("a", default).AsTask().WaitAsync(Patience));
        Assert.Empty(_lookups); // the failure is told again for a moment, without asking
    }

    [Fact]
    public async Task Failure_AfterAMoment_IsAskedForAgain()
    {
        var asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetException(new SocketException((int)SocketError.TryAgain));
        await Assert.ThrowsAsync<SocketException>(() => asked.WaitAsync(Patience));
        _time.Advance(NameResolver.Failed);
        await FindAsync(New);
    }

    /// <summary>The system asks a silent resolver again only after seconds: who asks meanwhile need not wait for that.</summary>
    [Fact]
    public async Task Lookup_ThatIsSilentForLong_HasASecondBesideIt()
    {
        var first = _names.ResolveAsync("a", default).AsTask();
        var silent = Next("a");
        _time.Advance(NameResolver.Silence);
        var second = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetResult(New);
        Assert.Equal(New, await first.WaitAsync(Patience));
        Assert.Equal(New, await second.WaitAsync(Patience));
        silent.Answer.SetException(new SocketException((int)SocketError.TryAgain));
        Assert.Equal(New, await _names.ResolveAsync("a", default));
    }

    private async Task FindAsync(IPAddress[] addresses)
    {
        var asked = _names.ResolveAsync("a", default).AsTask();
        Next("a").Answer.SetResult(addresses);
        Assert.Equal(addresses, await asked.WaitAsync(Patience));
    }

    private Lookup Next(string? name)
    {
        Assert.True(_lookups.TryTake(out var lookup, Patience), "nobody asked");
        if (name is not null)
            Assert.Equal(name, lookup.Name, ignoreCase: true);
        return lookup;
    }

    private static async Task Until(Func<Task<bool>> condition)
    {
        for (var i = 0; !await condition(); i++)
        {
            Assert.True(i < 10_000);
            await Task.Yield();
        }
    }

    private IPAddress[] LookUp(string name)
    {
        var lookup = new Lookup(name, new TaskCompletionSource<IPAddress[]>());
        _lookups.Add(lookup);
        return lookup.Answer.Task.GetAwaiter().GetResult();
    }

    private sealed record Lookup(string Name, TaskCompletionSource<IPAddress[]> Answer);
}
