using Lintel.State;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.State;

public sealed class ExpiringStoreTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Value_IsThereUntilItsEnd_WhichARenewalMoves()
    {
        using var store = new ExpiringStore(_time);
        await store.SetAsync("k", [1], Minute);
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal([1], await store.FindAsync("k", Minute));
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal([1], await store.FindAsync("k"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await store.FindAsync("k", Minute));
        Assert.False(await store.RemoveAsync("k"));
    }

    [Fact]
    public async Task Add_WhereAValueIs_ChangesNothing_AndReplaceWhereNoneIs()
    {
        using var store = new ExpiringStore(_time);
        Assert.False(await store.TryReplaceAsync("k", [1], Minute));
        Assert.True(await store.TryAddAsync("k", [2], Minute));
        Assert.False(await store.TryAddAsync("k", [3], Minute));
        Assert.Equal([2], await store.FindAsync("k"));
        Assert.True(await store.TryReplaceAsync("k", [4], Minute));
        Assert.Equal([4], await store.FindAsync("k"));
        Assert.True(await store.RemoveAsync("k"));
        Assert.False(await store.TryReplaceAsync("k", [5], Minute));
        _time.Advance(Minute);
        Assert.True(await store.TryAddAsync("k", [6], Minute));
    }

    [Fact]
    public async Task Store_ThatIsFull_DropsTheOldest_WhateverWasReadLast()
    {
        using var store = new ExpiringStore(_time, maxEntries: 3);
        foreach (var key in new[] { "a", "b", "c" })
            await store.SetAsync(key, [1], Minute);
        await store.FindAsync("a", Minute);
        await store.SetAsync("a", [2], Minute); // keeps its place
        await store.SetAsync("d", [1], Minute);
        Assert.Null(await store.FindAsync("a"));
        Assert.NotNull(await store.FindAsync("b"));
        Assert.Equal((3, 1), (store.Count, store.Evicted));
    }

    [Fact]
    public async Task Store_WithoutBytesLeft_DropsTheOldest_ButNotTheValueItself()
    {
        using var store = new ExpiringStore(_time, maxBytes: 10_000);
        await store.SetAsync("a", new byte[4000], Minute);
        await store.SetAsync("b", new byte[4000], Minute);
        await store.SetAsync("c", new byte[4000], Minute);
        Assert.Null(await store.FindAsync("a"));
        await store.SetAsync("d", new byte[50_000], Minute);
        Assert.Equal(1, store.Count);
        Assert.NotNull(await store.FindAsync("d"));
    }

    [Fact]
    public async Task Values_ThatHaveExpired_AreRemovedInTime()
    {
        using var store = new ExpiringStore(_time);
        for (var i = 0; i < 1000; i++)
            await store.SetAsync($"k{i}", [1], i < 600 ? Minute : 3 * Minute);
        _time.Advance(Minute);
        Assert.Equal(400, store.Count);
        Assert.Equal(0, store.Evicted);
    }
}
