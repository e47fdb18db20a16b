namespace Lintel.Transport.Loop;

/// <summary>Long work that must not keep requests waiting: on a thread of its own, which gets of the processors what the loops leave.</summary>
/// <remarks>
/// On a machine whose cores the loops half fill, a thread of the same standing takes the other half for as long as it works, and requests queue up. Measured with reloads of 10 000 routes:
/// <c>bench/load</c>, workload <c>reload</c>.
/// </remarks>
public static class BackgroundThread
{
    /// <summary>Where loops take all they can get, the work still has a tenth of a core (sched(7): weights 110 and 1024), and ends.</summary>
    private const int Nice = 10;

    /// <summary>Runs it.</summary>
    /// <param name="name">The thread's, for debuggers.</param>
    /// <param name="work">What is to be done.</param>
    public static Task<T> RunAsync<T>(string name, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(Run) { IsBackground = true, Name = name, Priority = ThreadPriority.BelowNormal }; // .NET ignores the priority on Linux
        thread.UnsafeStart();
        return done.Task;

        void Run()
        {
            if (OperatingSystem.IsLinux())
                Libc.BeNice(Nice);
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
}
