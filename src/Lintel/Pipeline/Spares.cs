namespace Lintel.Pipeline;

/// <summary>Per-thread pool of objects: consecutive requests on a loop reuse them without garbage collection.</summary>
/// <remarks>
/// Kept by thread and not shared: no locking, and a returned object is still in the processor's cache. A request that ends on another
/// thread than it began on returns its objects there. Thread rule: any thread, each its own pool.
/// </remarks>
/// <typeparam name="T">No reference to an object of this type may remain when it is returned.</typeparam>
internal static class Spares<T>
    where T : class
{
    /// <summary>Capacity for each thread. Requests in flight beyond it allocate an object each, as they would without the pool.</summary>
    private const int Most = 512;

    [ThreadStatic]
    private static Stack<T>? _spares;

    /// <summary>A pooled object; <see langword="null"/> if there is none.</summary>
    public static T? Take() => _spares is { } spares && spares.TryPop(out var spare) ? spare : null;

    /// <summary>Returns an object that holds no state of its previous use.</summary>
    public static void Keep(T spare)
    {
        var spares = _spares ??= new Stack<T>();
        if (spares.Count < Most)
            spares.Push(spare);
    }
}
