using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Lintel.Listeners.Handshakes;

/// <summary>
/// Where the dear step of TLS handshakes is done, the server's signature and its key: a millisecond with RSA, during which a loop would
/// serve thirty requests.
/// </summary>
/// <remarks>
/// Half as many threads as cores, at least one: a flood of handshakes takes at most that share, and waits in order, each as long as its
/// listener's <c>handshakeTimeout</c>. Connections return to their loop with the next bytes that they await. Thread rule: any thread.
/// </remarks>
internal sealed class HandshakeThreads : IDisposable
{
    private readonly BlockingCollection<Action> _steps = [];
    private readonly Lazy<Thread[]> _threads;

    public HandshakeThreads()
    {
        _threads = new(() => [.. Enumerable.Range(0, Math.Max(1, Environment.ProcessorCount / 2)).Select(Start)]);
    }

    /// <summary>The awaiter: the continuation runs on one of the threads.</summary>
    public Turn EnterAsync() => new(this);

    public void Dispose() => _steps.CompleteAdding();

    private Thread Start(int index)
    {
        var thread = new Thread(Run) { IsBackground = true, Name = $"lintel-handshake-{index}" };
        thread.UnsafeStart();
        return thread;
    }

    private void Run()
    {
        foreach (var step in _steps.GetConsumingEnumerable())
            step(); // an async method's continuation: what goes wrong is its awaiter's
    }

    private void Add(Action step)
    {
        _ = _threads.Value;
        try
        {
            _steps.Add(step);
        }
        catch (InvalidOperationException)
        {
            step(); // the process ends
        }
    }

    /// <summary>An awaitable.</summary>
    public readonly struct Turn(HandshakeThreads threads) : ICriticalNotifyCompletion
    {
        public bool IsCompleted => false;

        public Turn GetAwaiter() => this;

        public void OnCompleted(Action continuation) => threads.Add(continuation);

        public void UnsafeOnCompleted(Action continuation) => threads.Add(continuation);

        public void GetResult() { }
    }
}
