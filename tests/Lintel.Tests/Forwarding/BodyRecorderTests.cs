using Lintel.Forwarding;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Forwarding;

/// <summary>A mirror's copy is taken from the budget while it is recorded, and given back as soon as there will be none.</summary>
public sealed class BodyRecorderTests
{
    private const int Limit = 100_000;

    private readonly MemoryBudget _memory = new(1 << 20);
    private readonly DefaultHttpContext _context = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_ThatFits_IsKeptUntilItIsDiscarded(bool saysItsLength)
    {
        var recorder = Record(Limit, saysItsLength);
        Assert.Equal(saysItsLength ? Limit : 0, _memory.UsedBy(BufferUse.Mirror)); // reserved when recording begins
        await ReadAsync();
        Assert.True(recorder.IsComplete);
        Assert.Equal(Limit, recorder.Body!.Value.Length);
        Assert.Equal(Limit, _memory.Used);
        recorder.Discard();
        Assert.Equal(0, _memory.Used);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_ThatIsTooLong_HoldsNothing(bool saysItsLength)
    {
        var recorder = Record(Limit + 1, saysItsLength);
        await ReadAsync();
        Assert.Equal((false, BodyRecorder.NoCopyReason.Length), (recorder.IsComplete, recorder.GaveUp));
        Assert.Equal(0, _memory.Used);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_ThatTheBudgetCannotHold_PassesWithoutACopy(bool saysItsLength)
    {
        Assert.True(_memory.TryTake(BufferUse.Answer, (1 << 20) - 20_000));
        var recorder = Record(Limit, saysItsLength);
        Assert.Equal(Limit, await ReadAsync());
        Assert.Equal((false, BodyRecorder.NoCopyReason.Memory), (recorder.IsComplete, recorder.GaveUp));
        Assert.Equal(0, _memory.UsedBy(BufferUse.Mirror));
    }

    [Fact]
    public async Task Body_ThatIsAbandoned_IsGivenBack()
    {
        var recorder = Record(Limit, saysItsLength: false);
        Assert.Equal(5000, await _context.Request.Body.ReadAsync(new byte[5000]));
        Assert.InRange(_memory.Used, 5000, Limit);
        recorder.Discard();
        Assert.Equal(0, _memory.Used);
        await ReadAsync();
        Assert.Equal((false, 0), (recorder.IsComplete, _memory.Used));
    }

    [Fact]
    public void Request_WithoutBody_NeedsNothing()
    {
        using var recorder = new BodyRecorder(_context.Request.AsClient(), canHaveBody: false, Limit, _memory, BufferUse.Mirror);
        Assert.Equal((true, null), (recorder.IsComplete, recorder.Body));
        recorder.Discard();
        Assert.Equal(0, _memory.Used);
    }

    private BodyRecorder Record(int length, bool saysItsLength)
    {
        _context.Request.Body = new MemoryStream(new byte[length]);
        _context.Request.ContentLength = saysItsLength ? length : null;
        return new BodyRecorder(_context.Request.AsClient(), canHaveBody: true, Limit, _memory, BufferUse.Mirror);
    }

    private async Task<int> ReadAsync()
    {
        var buffer = new byte[3000];
        var total = 0;
        while (await _context.Request.Body.ReadAsync(buffer) is > 0 and var count)
            total += count;
        return total;
    }
}
