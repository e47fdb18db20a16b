using System.Runtime.CompilerServices;
using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class PooledMethodBuilderTests
{
    private static readonly AsyncLocal<string?> Local = new();

    [Fact]
    public async Task Result_OfAMethodThatDoesNotWait_IsThereAtOnce()
    {
        var task = AddAsync(Task.FromResult(1), 2);
        Assert.True(task.IsCompletedSuccessfully);
        Assert.Equal("3", await task);
    }

    [Fact]
    public async Task Result_OfAMethodThatWaits_ComesLater()
    {
        var gate = new TaskCompletionSource<int>();
        var task = AddAsync(gate.Task, 2);
        Assert.False(task.IsCompleted);
        gate.SetResult(40);
        Assert.Equal("42", await task);
    }

    [Fact]
    public async Task Exception_BeforeAndAfterAWait_IsTheCallers()
    {
        var early = AddAsync(Task.FromException<int>(new InvalidOperationException("early")), 0);
        Assert.True(early.IsFaulted);
        Assert.Equal("early", (await Assert.ThrowsAsync<InvalidOperationException>(early.AsTask)).Message);

        var gate = new TaskCompletionSource<int>();
        var late = AddAsync(gate.Task, 0);
        gate.SetException(new InvalidOperationException("late"));
        Assert.Equal("late", (await Assert.ThrowsAsync<InvalidOperationException>(late.AsTask)).Message);
        Assert.Equal("3", await AddAsync(Task.FromResult(1), 2)); // what failed left nothing behind
    }

    [Fact]
    public async Task Frames_OfManyMethodsAtOnce_AreEachItsOwn()
    {
        for (var round = 0; round < 3; round++)
        {
            var gates = Enumerable.Range(0, 2000).Select(_ => new TaskCompletionSource<int>()).ToList();
            var tasks = gates.Select((g, i) => TwiceAsync(g.Task, i)).ToList();
            foreach (var (i, gate) in gates.Index().OrderBy(_ => Random.Shared.Next()).ToList())
                gate.SetResult(i);
            for (var i = 0; i < tasks.Count; i++)
                Assert.Equal($"{i}+{i}, {i}", await tasks[i]);
        }
    }

    [Fact]
    public void Frames_ThatWereUsed_AreUsedAgain()
    {
        Once(); // makes the first
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            Once();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000); // .NET itself would need some 100 bytes each

        static void Once()
        {
            var gate = Gate;
            gate.Reset();
            var waiting = WaitAsync(gate);
            gate.Open();
            Assert.True(waiting.GetAwaiter().GetResult());
        }
    }

    [Fact]
    public async Task Contexts_OfCallerAndMethod_DoNotMix()
    {
        Local.Value = "caller";
        var gate = new TaskCompletionSource<int>();
        var task = ContextAsync(gate.Task);
        Assert.Equal("caller", Local.Value); // what the method sets before its first wait is its own
        Local.Value = "caller, later";
        gate.SetResult(0);
        Assert.Equal("caller, then method", await task);
        Assert.Equal("caller, later", Local.Value);
    }

    private static readonly ReusableGate Gate = new();

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private static async ValueTask<string> AddAsync(Task<int> first, int second) =>
        (await first.ConfigureAwait(false) + second).ToString(System.Globalization.CultureInfo.InvariantCulture);

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private static async ValueTask<string> TwiceAsync(Task<int> gate, int number)
    {
        var first = await gate.ConfigureAwait(false);
        await Task.Yield();
        return $"{first}+{await gate.ConfigureAwait(false)}, {number}";
    }

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private static async ValueTask<string> ContextAsync(Task<int> gate)
    {
        var before = Local.Value;
        Local.Value = "method";
        await gate.ConfigureAwait(false);
        return $"{before}, then {Local.Value}";
    }

    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    private static async ValueTask<bool> WaitAsync(ReusableGate gate)
    {
        await gate;
        return true;
    }

    /// <summary>Waits without allocating.</summary>
    private sealed class ReusableGate : ICriticalNotifyCompletion
    {
        private Action? _continuation;

        public bool IsCompleted { get; private set; }

        public ReusableGate GetAwaiter() => this;

        public void GetResult() { }

        public void OnCompleted(Action continuation) => _continuation = continuation;

        public void UnsafeOnCompleted(Action continuation) => _continuation = continuation;

        public void Reset() => IsCompleted = false;

        public void Open()
        {
            IsCompleted = true;
            _continuation!();
        }
    }
}
