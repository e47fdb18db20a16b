namespace Lintel.Pipeline;

/// <summary>
/// Objects that a thread has done with and will need again: a loop serves each request like the one before it, and need not have the
/// collector between.
/// </summary>
/// <remarks>
/// By thread and not shared: nothing is locked, and what comes back is still in the processor's cache. A request that ends on another
/// thread than it began on leaves its objects there. Thread rule: any thread, each its own.
/// </remarks>
/// <typeparam name="T">Nothing may know an object of it any more when it is kept.</typeparam>
internal static class Spares<T>
    where T : class
{
    /// <summary>For each thread. Requests in flight beyond it cost an object each, as they would without.</summary>
    private const int Most = 512;

    [ThreadStatic]
    private static Stack<T>? _spares;

    /// <summary>One that was kept; <see langword="null"/> for none.</summary>
    public static T? Take() => _spares is { } spares && spares.TryPop(out var spare) ? spare : null;

    /// <summary>Keeps one that holds nothing of what it was used for.</summary>
    public static void Keep(T spare)
    {
        var spares = _spares ??= new Stack<T>();
        if (spares.Count < Most)
            spares.Push(spare);
    }
}
