using System.Runtime.CompilerServices;
using Lintel.Transport.Loop;

namespace Lintel.Composition;

/// <summary>
/// Awaited before work in proportion to what others sent: where that is much, what follows runs on the thread pool, and the event loop goes
/// on with its other connections.
/// </summary>
/// <remarks>Costs nothing where it is little, and where the thread is no loop's.</remarks>
/// <param name="bytes">How much there is to work on.</param>
internal readonly struct OffLoop(long bytes) : ICriticalNotifyCompletion
{
    /// <summary>
    /// JSON of this length is checked in about 0.5 ms, parsed in 1.5 ms; XML of this length becomes JSON in 5 ms. Handing work over costs
    /// some microseconds.
    /// </summary>
    public const int Threshold = 256 * 1024;

    /// <summary>
    /// How much dearer it is to join, merge or evaluate than to parse: of dense objects, a dozen bytes each, 256 KiB took 17 ms to join and
    /// 47 ms to merge (best of 40, on two cores under other load, where parsing took 2 ms), so that an eighth of it is a matter of some
    /// milliseconds.
    /// </summary>
    public const int MergeWeight = 8;

    public bool IsCompleted => bytes < Threshold || EventLoop.Current is null;

    /// <summary>Leaves the loop for work of this size.</summary>
    public static OffLoop For(long bytes) => new(bytes);

    /// <summary>Leaves the loop for joining, merging and evaluating answers of this size.</summary>
    public static OffLoop ForMerge(long bytes) => new(bytes * MergeWeight);

    public OffLoop GetAwaiter() => this;

    public void GetResult() { }

    public void OnCompleted(Action continuation) => ThreadPool.QueueUserWorkItem(static next => next(), continuation, preferLocal: false);

    public void UnsafeOnCompleted(Action continuation) =>
        ThreadPool.UnsafeQueueUserWorkItem(static next => next(), continuation, preferLocal: false);
}
