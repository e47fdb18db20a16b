namespace Lintel.TestKit;

/// <summary>Nothing waits for ever.</summary>
public static class Until
{
    /// <summary>Generous: two busy cores must not make a test fail.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static Task<T> InTimeAsync<T>(this Task<T> task) => task.WaitAsync(Deadline);

    public static Task InTimeAsync(this Task task) => task.WaitAsync(Deadline);
}
