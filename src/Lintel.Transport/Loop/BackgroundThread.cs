using System.Diagnostics;

namespace Lintel.Transport.Loop;

/// <summary>Runs long work that must not delay requests on a dedicated thread of low priority.</summary>
/// <remarks>
/// On a machine whose cores the loops half fill, a thread of the same standing takes the other half for as long as it works, and requests
/// queue up; and what it allocates to keep makes each collection, which stops all loops, long. Measured with reloads of 10 000 routes:
/// <c>bench/load</c>, workload <c>reload</c>, docs/decisions/0014.
/// </remarks>
public static class BackgroundThread
{
    /// <summary>
    /// If the loops use all available CPU time, the work still gets a tenth of a core (sched(7): weights 110 and 1024) and completes.
    /// </summary>
    private const int Nice = 10;

    /// <summary>The shortest there is: a loop that wakes need not wait for the end of a usual slice, which is milliseconds.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(0.1);

    /// <summary>Runs it.</summary>
    /// <param name="name">The thread's, for debuggers.</param>
    /// <param name="work">The work.</param>
    /// <param name="allocates">Whether it allocates more than some objects, so that collections during it would take long.</param>
    public static Task<T> RunAsync<T>(string name, Func<T> work, bool allocates = true)
    {
        ArgumentNullException.ThrowIfNull(work);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Start(name, Run);
        return done.Task;

        void Run()
        {
            // first: a thread inherits the standing of the one that starts it
            using var collector = allocates ? new EarlyCollector() : null;
            if (OperatingSystem.IsLinux())
                Libc.Schedule(Nice, Slice);
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        }
    }

    private static void Start(string name, ThreadStart run) => new Thread(run) { IsBackground = true, Name = name }.UnsafeStart();

    /// <summary>
    /// Collects early and often while such work runs. A collection takes a millisecond, and three more for each MiB that survives it: left
    /// to itself it comes after 8 MiB (System.GC.Gen0MaxBudget), much of which a configuration keeps, and everybody waits for tens of
    /// milliseconds. Of requests next to nothing survives: for them, rare collections are the better ones.
    /// </summary>
    /// <remarks>On a thread of its own, of usual standing: who holds all others up must not be made to wait for the processor.</remarks>
    private sealed class EarlyCollector : IDisposable
    {
        private const long Step = 1024 * 1024;

        private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(2);

        private readonly ManualResetEventSlim _isOver = new();

        public EarlyCollector() => Start("lintel-collect", Run);

        public void Dispose() => _isOver.Set();

        private void Run()
        {
            var rest = Look;
            for (var before = GC.GetTotalAllocatedBytes(); !_isOver.Wait(rest); )
            {
                rest = Look;
                var now = GC.GetTotalAllocatedBytes();
                if (now - before < Step)
                    continue;
                var began = Stopwatch.GetTimestamp();
                GC.Collect(1, GCCollectionMode.Forced, blocking: true, compacting: false);
                // where collections are slow for other reasons, they take a third of the time and no more
                rest = Look + (2 * Stopwatch.GetElapsedTime(began));
                before = now; // what was allocated since counts for the next one
            }
        }
    }
}
