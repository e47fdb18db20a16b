namespace Lintel.TestKit;

/// <summary>How tests wait: for a task, or by polling a condition. All waits have a time limit.</summary>
public static class Until
{
    /// <summary>Generous: two busy cores must not make a test fail.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    public static Task<T> InTimeAsync<T>(this Task<T> task) => task.WaitAsync(Patience);

    public static Task InTimeAsync(this Task task) => task.WaitAsync(Patience);

    /// <summary>Looks again and again until it is so.</summary>
    public static Task TrueAsync(Func<bool> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        return TrueAsync(() => Task.FromResult(condition()));
    }

    /// <summary>Asks again and again until it is so; no thread waits for the answer.</summary>
    public static async Task TrueAsync(Func<Task<bool>> condition)
    {
        ArgumentNullException.ThrowIfNull(condition);
        using var deadline = new CancellationTokenSource(Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!await condition())
        {
            try
            {
                await tick.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException("what was waited for did not come");
            }
        }
    }

    /// <summary>Looks again and again until there is something to see.</summary>
    public static async Task<T> SeenAsync<T>(Func<T?> look)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(look);
        T? seen = null;
        await TrueAsync(() => (seen = look()) is not null);
        return seen!;
    }
}
