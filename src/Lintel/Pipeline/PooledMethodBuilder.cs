using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

namespace Lintel.Pipeline;

/// <summary>
/// Builder of async methods that pools the state of those that suspend: <c>[AsyncMethodBuilder(typeof(PooledMethodBuilder&lt;&gt;))]</c>.
/// </summary>
/// <remarks>
/// .NET's own pooling builder caches one frame for each thread and each processor. A loop has as many suspended requests as connections, so
/// it would rarely find a cached one. This builder keeps a stack of frames for each thread. As with every pooled <see cref="ValueTask"/>,
/// the result must be awaited once, and immediately.
/// </remarks>
/// <typeparam name="TResult">The result type of the method.</typeparam>
internal struct PooledMethodBuilder<TResult>
{
    private Frame? _frame; // null while the method has not suspended
    private TResult _result;

    public readonly ValueTask<TResult> Task => _frame is null ? new(_result) : new(_frame, _frame.Version);

    public static PooledMethodBuilder<TResult> Create() => default;

    /// <summary>
    /// Runs the method to its first suspension and restores the contexts that it changed. .NET exposes this through no other API.
    /// </summary>
    [SuppressMessage("Performance", "CA1822", Justification = "The compiler calls it on the builder.")]
    public readonly void Start<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine => default(AsyncValueTaskMethodBuilder<TResult>).Start(ref stateMachine);

    /// <summary>Never called by compiler-generated code.</summary>
    public readonly void SetStateMachine(IAsyncStateMachine stateMachine) => throw new NotSupportedException();

    public void SetResult(TResult result)
    {
        if (_frame is null)
            _result = result;
        else
            _frame.Finish(result);
    }

    public void SetException(Exception exception) => (_frame ??= new Frame()).Fail(exception);

    public void AwaitOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : INotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.OnCompleted(Wait(ref stateMachine));

    public void AwaitUnsafeOnCompleted<TAwaiter, TStateMachine>(ref TAwaiter awaiter, ref TStateMachine stateMachine)
        where TAwaiter : ICriticalNotifyCompletion
        where TStateMachine : IAsyncStateMachine => awaiter.UnsafeOnCompleted(Wait(ref stateMachine));

    /// <summary>Moves the state machine into a frame, unless it is in one already.</summary>
    /// <returns>The continuation.</returns>
    private Action Wait<TStateMachine>(ref TStateMachine stateMachine)
        where TStateMachine : IAsyncStateMachine
    {
        Frame<TStateMachine> frame;
        if (_frame is not null)
        {
            frame = Unsafe.As<Frame<TStateMachine>>(_frame); // a builder belongs to one method
        }
        else
        {
            _frame = frame = Spares<Frame<TStateMachine>>.Take() ?? new Frame<TStateMachine>();
            frame.StateMachine = stateMachine; // this builder is a part of it: the copy refers to its frame
        }

        frame.Context = ExecutionContext.Capture();
        return frame.GoOn;
    }

    /// <summary>The awaitable of the caller.</summary>
    private class Frame : IValueTaskSource<TResult>
    {
        private ManualResetValueTaskSourceCore<TResult> _core;

        public short Version => _core.Version;

        public void Finish(TResult result) => _core.SetResult(result);

        public void Fail(Exception exception) => _core.SetException(exception);

        public TResult GetResult(short token)
        {
            try
            {
                return _core.GetResult(token);
            }
            finally
            {
                _core.Reset();
                Keep();
            }
        }

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);

        protected virtual void Keep() { }
    }

    private sealed class Frame<TStateMachine> : Frame
        where TStateMachine : IAsyncStateMachine
    {
        private static readonly ContextCallback MoveNext = static frame => ((Frame<TStateMachine>)frame!).StateMachine!.MoveNext();

        public Frame() => GoOn = Run;

        public Action GoOn { get; }

        public TStateMachine? StateMachine; // a field, because it is a mutable struct

        public ExecutionContext? Context { get; set; }

        protected override void Keep()
        {
            StateMachine = default;
            Context = null;
            Spares<Frame<TStateMachine>>.Keep(this);
        }

        private void Run()
        {
            if (Context is { } context)
                ExecutionContext.Run(context, MoveNext, this);
            else
                StateMachine!.MoveNext();
        }
    }
}
