namespace Lintel.Identities.Providers;

/// <summary>
/// A value from elsewhere that is fetched when it is first needed, refreshed in the background when it is old, and kept while that fails.
/// </summary>
/// <remarks>
/// Thread rule: any number of callers. At most one fetch is under way; it does not end with the caller that began it.
/// </remarks>
/// <typeparam name="T">The value.</typeparam>
/// <param name="fetch">Fetches it; ends by itself in finite time, and throws <see cref="ProviderException"/> if there is none.</param>
/// <param name="freshness">The age from which it is refreshed.</param>
/// <param name="time">The clock.</param>
/// <param name="failed">Called for each fetch that failed, to log it.</param>
internal sealed class Refreshed<T>(
    Func<CancellationToken, Task<T>> fetch,
    TimeSpan freshness,
    TimeProvider time,
    Action<ProviderException>? failed = null
)
    where T : class
{
    /// <summary>
    /// The least time between two fetches, however many callers ask: a provider that is down is not flooded. It holds for renewals on their
    /// own, so that one which follows a regular fetch is not in vain.
    /// </summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private volatile Held? _held;
    private Task? _fetching;
    private long? _attempted;
    private long? _renewed;
    private ProviderException? _failure;

    /// <summary>The value as it is known; <see langword="null"/> if it has never been fetched.</summary>
    public T? Current => _held?.Value;

    /// <summary>Why the last fetch failed; <see langword="null"/> if it did not.</summary>
    public ProviderException? Failure => Volatile.Read(ref _failure);

    /// <summary>Returns the value, from memory if there is one: it is then refreshed in the background if it is old.</summary>
    /// <exception cref="ProviderException">There is none, and it cannot be fetched.</exception>
    public ValueTask<T> GetAsync(CancellationToken cancellationToken)
    {
        if (_held is { } held)
        {
            if (time.GetElapsedTime(held.Fetched) >= freshness)
                _ = TryFetch(ref _attempted);
            return new(held.Value);
        }

        return new(FirstAsync(cancellationToken));
    }

    /// <summary>
    /// Fetches the value anew if the last attempt is long enough ago, waiting for it; otherwise returns what there is. For a value that has
    /// turned out to lack something.
    /// </summary>
    /// <exception cref="ProviderException">There is none.</exception>
    public async Task<T> RenewAsync(CancellationToken cancellationToken)
    {
        if ((_held is null ? TryFetch(ref _attempted) : TryFetch(ref _renewed)) is { } fetching)
            await fetching.WaitAsync(cancellationToken).ConfigureAwait(false);
        return _held?.Value ?? throw Failure ?? new ProviderException("there is no answer yet");
    }

    private async Task<T> FirstAsync(CancellationToken cancellationToken) => await RenewAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Begins a fetch, or returns the one under way; <see langword="null"/> if the last attempt was too recent.</summary>
    private Task? TryFetch(ref long? attempted)
    {
        lock (_lock)
        {
            if (_fetching is not null)
                return _fetching;
            if (attempted is { } last && time.GetElapsedTime(last) < Pause)
                return null;
            attempted = time.GetTimestamp();
            var fetching = Task.Run(FetchAsync);
            _fetching = fetching;
            return fetching;
        }
    }

    private async Task FetchAsync()
    {
        try
        {
            _held = new Held(await fetch(CancellationToken.None).ConfigureAwait(false), time.GetTimestamp());
            Volatile.Write(ref _failure, null);
        }
        catch (Exception e) // the last good value is kept
        {
            var failure = e as ProviderException ?? new ProviderException($"{e.GetType().Name}: {e.Message}", e);
            Volatile.Write(ref _failure, failure);
            failed?.Invoke(failure);
        }
        finally
        {
            lock (_lock)
                _fetching = null;
        }
    }

    private sealed record Held(T Value, long Fetched);
}
