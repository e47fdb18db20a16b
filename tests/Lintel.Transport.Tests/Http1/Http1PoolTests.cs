using System.Net.Sockets;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;
using Lintel.Transport.Tests.Loop;

namespace Lintel.Transport.Tests.Http1;

public sealed class Http1PoolTests : IDisposable
{
    private readonly Wire _wire = new(backlog: 4096); // nobody accepts: a full queue would keep a connection waiting
    private int _connects;
    private Func<CancellationToken, ValueTask>? _beforeConnecting;

    public void Dispose() => _wire.Dispose();

    [Fact]
    public async Task Waiting_IsServedInItsOrder_ByWhatComesBackAndByWhatEnds()
    {
        using var pool = Pool(new Http1Options { MaxConnections = 2 });
        var rented = new Queue<Http1Connection>([await RentAsync(pool).WaitAsync(Wire.Patience), await RentAsync(pool)]);
        var waiting = new Queue<Task<Http1Connection>>(Enumerable.Range(0, 40).Select(_ => RentAsync(pool)));
        for (var i = 0; waiting.Count > 0; i++)
        {
            Assert.All(waiting, w => Assert.False(w.IsCompleted));
            var back = rented.Dequeue();
            var isClean = i % 3 != 1;
            back.Shard.Return(back, isClean);
            var next = await waiting.Dequeue().WaitAsync(Wire.Patience);
            Assert.Equal(isClean, next == back);
            rented.Enqueue(next);
            Assert.Equal(2, pool.Open);
        }

        foreach (var connection in rented)
            connection.Shard.Return(connection, isClean: true);
        Assert.Equal(2, pool.Open);
        Assert.Equal(2 + 13, _connects);
    }

    /// <summary>A request that arrives while a slot passes from one waiter to the next must not take it: it came later.</summary>
    [Fact]
    public async Task Place_ThatIsPassedOn_IsNotTakenByWhoComesLater()
    {
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var first = await RentAsync(pool).WaitAsync(Wire.Patience);
        var second = RentAsync(pool);
        var connecting = new TaskCompletionSource();
        _beforeConnecting = _ => new(connecting.Task);
        first.Shard.Return(first, isClean: false);
        var third = RentAsync(pool);
        connecting.SetResult();
        var given = await second.WaitAsync(Wire.Patience);
        Assert.False(third.IsCompleted);
        Assert.Equal((1, 2), (pool.Open, _connects));
        given.Shard.Return(given, isClean: true);
        Assert.Same(given, await third.WaitAsync(Wire.Patience));
    }

    [Fact]
    public async Task Place_WhoseNextFailsToConnect_GoesToTheOneAfter()
    {
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var first = await RentAsync(pool).WaitAsync(Wire.Patience);
        var failing = RentAsync(pool);
        var after = RentAsync(pool);
        _beforeConnecting = _ =>
        {
            _beforeConnecting = null;
            throw new SocketException((int)SocketError.ConnectionRefused);
        };
        first.Shard.Return(first, isClean: false);
        await Assert.ThrowsAsync<SocketException>(() => failing.WaitAsync(Wire.Patience));
        Assert.NotSame(first, await after.WaitAsync(Wire.Patience));
        Assert.Equal(1, pool.Open);
    }

    /// <summary>A request that is retried on a new connection must not wait for an idle one.</summary>
    [Fact]
    public async Task Fresh_AtTheBound_TakesThePlaceOfAnUnusedOne()
    {
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var first = await RentAsync(pool).WaitAsync(Wire.Patience);
        first.Shard.Return(first, isClean: true);
        var fresh = await RentAsync(pool, isFresh: true).WaitAsync(Wire.Patience);
        Assert.NotSame(first, fresh);
        Assert.Equal((1, 2), (pool.Open, _connects));

        var alsoFresh = RentAsync(pool, isFresh: true);
        fresh.Shard.Return(fresh, isClean: true); // it waits for one that is used: its place is as good
        Assert.NotSame(fresh, await alsoFresh.WaitAsync(Wire.Patience));
        Assert.Equal((1, 3), (pool.Open, _connects));
    }

    [Fact]
    public async Task Waiting_ThatIsCanceled_LeavesItsTurnToTheNext()
    {
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var first = await RentAsync(pool).WaitAsync(Wire.Patience);
        using var over = new CancellationTokenSource();
        var canceled = RentAsync(pool, cancellation: over.Token);
        var next = RentAsync(pool);
        await over.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => canceled);
        first.Shard.Return(first, isClean: true);
        Assert.Same(first, await next.WaitAsync(Wire.Patience));
    }

    /// <summary>
    /// A server closes an idle connection as the next request begins: within the same turn of the loop no event reports it, and a caller
    /// that returns it would rent it again, forever.
    /// </summary>
    [Fact]
    public async Task Rent_ThatMustBeAlive_OfConnectionsThatEndedInTheSameTurn_ClosesThem()
    {
        using var pool = Pool(new Http1Options());
        var peers = new List<Socket>();
        var kept = new List<Http1Connection>();
        for (var i = 0; i < 3; i++)
        {
            kept.Add(await RentAsync(pool).WaitAsync(Wire.Patience));
            peers.Add(await _wire.AcceptAsync());
        }

        kept.ForEach(c => c.Shard.Return(c, isClean: true));
        var given = await OnLoopAsync(() =>
        {
            peers.ForEach(p => p.Dispose());
            return pool.TryRent(_wire.Loop, isChecked: true);
        });
        Assert.Null(given);
        Assert.Equal(0, pool.Open);
    }

    [Fact]
    public async Task Release_OfAConnectionThatCarriedNoExchange_ClosesIt()
    {
        using var pool = Pool(new Http1Options());
        var first = await RentAsync(pool).WaitAsync(Wire.Patience);
        first.Shard.Return(first, isClean: true);
        Assert.Same(first, pool.TryRent(_wire.Loop));
        first.Release();
        Assert.Null(pool.TryRent(_wire.Loop));
        Assert.Equal(0, pool.Open);
    }

    /// <summary>However many dead connections there are, a request closes a few of them and makes a new one.</summary>
    [Fact]
    public async Task Rent_OfManyThatEnded_LooksAtAFew()
    {
        using var pool = Pool(new Http1Options());
        var kept = new List<Http1Connection>();
        var peers = new List<Socket>();
        for (var i = 0; i < 20; i++)
        {
            kept.Add(await RentAsync(pool).WaitAsync(Wire.Patience));
            peers.Add(await _wire.AcceptAsync());
        }

        kept.ForEach(c => c.Shard.Return(c, isClean: true));
        var left = await OnLoopAsync(() =>
        {
            peers.ForEach(p => p.Dispose());
            Assert.Null(pool.TryRent(_wire.Loop, isChecked: true));
            return pool.Open;
        });
        Assert.Equal(12, left);
    }

    private async Task<T> OnLoopAsync<T>(Func<T> action)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _wire.Loop.Post(
            new Work(() =>
            {
                try
                {
                    done.SetResult(action());
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            })
        );
        return await done.Task.WaitAsync(Wire.Patience);
    }

    /// <summary>
    /// Many callers rent, wait, cancel and return concurrently; some are served in the moment of their cancellation. No connection and no
    /// slot is lost, and the limit holds.
    /// </summary>
    [Fact]
    public async Task Pool_ThatIsStormed_LosesNoPlaceAndKeepsItsBound()
    {
        const int Most = 3;
        using var pool = Pool(new Http1Options { MaxConnections = Most });
        var (used, mostUsed, served) = (0, 0, 0);
        await Task.WhenAll(
            Enumerable
                .Range(0, 12)
                .Select(n =>
                    Task.Run(async () =>
                    {
                        var random = new Random(n);
                        for (var i = 0; i < 400; i++)
                        {
                            using var over = new CancellationTokenSource();
                            var renting = RentAsync(pool, isFresh: random.Next(20) == 0, over.Token);
                            if (random.Next(3) == 0)
                                await over.CancelAsync();
                            try
                            {
                                var connection = await renting.WaitAsync(Wire.Patience, CancellationToken.None);
                                var now = Interlocked.Increment(ref used);
                                InterlockedMax(ref mostUsed, now);
                                Interlocked.Increment(ref served);
                                await Task.Yield();
                                Interlocked.Decrement(ref used);
                                connection.Shard.Return(connection, isClean: random.Next(20) != 0);
                            }
                            catch (Exception e) when (e is OperationCanceledException or IOException)
                            {
                                // Canceled while it waited, or while it connected.
                            }
                        }
                    })
                )
        );
        Assert.InRange(mostUsed, 1, Most);
        Assert.InRange(served, 12 * 400 / 2, 12 * 400);

        // Nothing hangs on: as many as may be can be had at once, and no more.
        var all = await Task.WhenAll(Enumerable.Range(0, Most).Select(_ => RentAsync(pool))).WaitAsync(Wire.Patience);
        Assert.Equal(Most, all.Distinct().Count());
        Assert.Equal(Most, pool.Open);
        Assert.Null(pool.TryRent(_wire.Loop));
        foreach (var connection in all)
            connection.Shard.Return(connection, isClean: false);
        Assert.Equal(0, pool.Open);
        await _wire.UntilUnusedAsync();
    }

    [Fact]
    public async Task Connection_OlderThanItsLifetime_IsUsedNoMore()
    {
        using var pool = Pool(new Http1Options { Lifetime = TimeSpan.FromMilliseconds(150), MaxConnections = 1 });
        var kept = await RentAsync(pool).WaitAsync(Wire.Patience);
        kept.Shard.Return(kept, isClean: true);
        Assert.Same(kept, pool.TryRent(_wire.Loop));
        kept.Shard.Return(kept, isClean: true);
        await Wire.UntilAsync(() => EventLoop.Now - kept.Born >= 150);
        Assert.Null(pool.TryRent(_wire.Loop)); // it grew old unused
        Assert.Equal(0, pool.Open);

        var busy = await RentAsync(pool).WaitAsync(Wire.Patience);
        var waiting = RentAsync(pool);
        await Wire.UntilAsync(() => EventLoop.Now - busy.Born >= 150);
        busy.Shard.Return(busy, isClean: true); // it grew old in use: neither kept nor given on
        Assert.NotSame(busy, await waiting.WaitAsync(Wire.Patience));
        Assert.Equal(1, pool.Open);
    }

    [Fact]
    public async Task Connection_UnusedForItsTime_IsClosed_AndOneThatIsUsedIsNot()
    {
        using var pool = Pool(new Http1Options { IdleLifetime = TimeSpan.FromMilliseconds(60) });
        var (busy, idle) = (await RentAsync(pool).WaitAsync(Wire.Patience), await RentAsync(pool).WaitAsync(Wire.Patience));
        busy.Shard.Return(busy, isClean: true);
        Assert.Same(busy, pool.TryRent(_wire.Loop)); // its time is stopped
        idle.Shard.Return(idle, isClean: true);
        var since = EventLoop.Now;
        await Wire.UntilAsync(() => pool.Open == 1);
        Assert.InRange(EventLoop.Now - since, 59, long.MaxValue);
        Assert.False(busy.HasBecomeReadable);
        using var peer = await _wire.AcceptAsync();
        using var gone = await _wire.AcceptAsync();
        Assert.Equal(0, await gone.ReceiveAsync(new byte[1]).WaitAsync(Wire.Patience));
    }

    [Theory]
    [InlineData("end")]
    [InlineData("reset")]
    [InlineData("word")]
    public async Task UnusedConnection_ThatStirs_LeavesThePool(string how)
    {
        using var pool = Pool(new Http1Options());
        var connection = await RentAsync(pool).WaitAsync(Wire.Patience);
        using var peer = await _wire.AcceptAsync();
        connection.Shard.Return(connection, isClean: true);
        Stir(peer, how);
        await Wire.UntilAsync(() => pool.Open == 0);
        Assert.Null(pool.TryRent(_wire.Loop));
    }

    /// <summary>Data that a server sends without a request would be read as the answer to the next request.</summary>
    [Theory]
    [InlineData("end")]
    [InlineData("reset")]
    [InlineData("word")]
    public async Task Connection_ThatStirsBeforeItComesBack_IsNotGivenToWhoWaits(string how)
    {
        using var pool = Pool(new Http1Options { MaxConnections = 1 });
        var connection = await RentAsync(pool).WaitAsync(Wire.Patience);
        using var peer = await _wire.AcceptAsync();
        var waiting = RentAsync(pool);
        Stir(peer, how);
        await Wire.UntilAsync(() => connection.Socket.MayHaveBecomeReadable);
        connection.Shard.Return(connection, isClean: true);
        Assert.NotSame(connection, await waiting.WaitAsync(Wire.Patience));
        Assert.Equal(1, pool.Open);
    }

    [Fact]
    public async Task Dispose_WhileOthersWaitAndUse_EndsTheWaits_AndClosesWhatComesBack()
    {
        var pool = Pool(new Http1Options { MaxConnections = 2 });
        var (first, second) = (await RentAsync(pool).WaitAsync(Wire.Patience), await RentAsync(pool).WaitAsync(Wire.Patience));
        using var over = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, 5).Select(_ => RentAsync(pool, cancellation: over.Token)).ToList();
        first.Shard.Return(first, isClean: false);
        var third = await waiting[0].WaitAsync(Wire.Patience);
        pool.Dispose();
        foreach (var wait in waiting[1..])
            await Assert.ThrowsAsync<ObjectDisposedException>(() => wait.WaitAsync(Wire.Patience));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => RentAsync(pool));
        Assert.Equal(2, pool.Open);
        second.Shard.Return(second, isClean: true);
        third.Shard.Return(third, isClean: true);
        Assert.Equal(0, pool.Open);
        await _wire.UntilUnusedAsync();
    }

    [Fact]
    public async Task Dispose_ClosesWhatIsUnused()
    {
        var pool = Pool(new Http1Options());
        var connection = await RentAsync(pool).WaitAsync(Wire.Patience);
        connection.Shard.Return(connection, isClean: true);
        pool.Dispose();
        Assert.Equal(0, pool.Open);
        await _wire.UntilUnusedAsync();
        pool.Dispose();
        Assert.Equal(0, pool.Open);
    }

    private static void Stir(Socket peer, string how)
    {
        if (how == "end")
            peer.Shutdown(SocketShutdown.Send);
        else if (how == "reset")
            Wire.Reset(peer);
        else
            peer.Send("HTTP/1.1 408 Request Timeout\r\n\r\n"u8);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (
            var seen = Volatile.Read(ref most);
            value > seen && Interlocked.CompareExchange(ref most, value, seen) is var was && was != seen;

        )
            seen = was;
    }

    private Http1Pool Pool(Http1Options options) => new(_wire.Loops, ConnectAsync, options);

    private Task<Http1Connection> RentAsync(Http1Pool pool, bool isFresh = false, CancellationToken cancellation = default) =>
        pool.RentAsync(_wire.Loop, isFresh, cancellation).AsTask();

    private async ValueTask<EstablishedConnection> ConnectAsync(EventLoop loop, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _connects);
        if (_beforeConnecting is { } before)
            await before(cancellation);
        var socket = await LoopStream.ConnectAsync(loop, _wire.Address, cancellation);
        return new EstablishedConnection(socket, socket);
    }
}
