namespace Lintel.Identities.Providers;

/// <summary>
/// Tokens of a provider, kept until shortly before they end: by what was asked for. One request is under way for each of them, and it is
/// made in the background if the token at hand is still good.
/// </summary>
/// <remarks>Thread rule: any number of callers. A request for a token does not end with the caller that began it.</remarks>
/// <param name="time">The clock.</param>
/// <param name="notRenewed">Called when a token that is still good could not be renewed, to log it.</param>
internal sealed class IssuedTokens(TimeProvider time, Action<ProviderException>? notRenewed = null)
{
    /// <summary>A token has a kilobyte or two: about 20 MB.</summary>
    private const int MaxTokens = 10_000;

    /// <summary>A provider is never asked more at a time; whoever comes then is refused at once instead of waiting in line.</summary>
    private const int MaxRequests = 64;

    /// <summary>How long a refusal is remembered: somebody with a bad token cannot make the gateway flood the provider.</summary>
    private static readonly TimeSpan RefusedFor = TimeSpan.FromSeconds(5);

    /// <summary>A token is not used in its last seconds: it has to arrive, and clocks differ.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(10);

    private readonly RecentlyUsed<string, Entry> _entries = new(MaxTokens);
    private int _requests;

    /// <summary>The number of entries.</summary>
    public int Count => _entries.Count;

    /// <summary>Returns a token, from memory if possible.</summary>
    /// <param name="key">What identifies it: everything that is asked for, hashed.</param>
    /// <param name="request">Requests it; ends by itself in finite time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ProviderException">There is none, and the provider does not answer.</exception>
    public ValueTask<IssuedToken> GetAsync(string key, Func<Task<IssuedToken>> request, CancellationToken cancellationToken)
    {
        var entry = _entries.GetOrAdd(key, static () => new Entry());
        var now = time.GetUtcNow();
        Task<IssuedToken> requested;
        lock (entry)
        {
            var isGood = entry.Token is not null && now < entry.Until;
            if (isGood && (now < entry.RenewAt || entry.Requested is not null))
                return new(entry.Token!);
            entry.Requested ??= Begin(entry, request);
            if (isGood)
                return new(entry.Token!);
            requested = entry.Requested;
        }

        return new(requested.WaitAsync(cancellationToken));
    }

    private Task<IssuedToken> Begin(Entry entry, Func<Task<IssuedToken>> request)
    {
        if (Interlocked.Increment(ref _requests) <= MaxRequests)
        {
            var begun = Task.Run(() => RequestAsync(entry, request));
            _ = begun.ContinueWith(static t => t.Exception, TaskContinuationOptions.OnlyOnFaulted); // nobody may be waiting
            return begun;
        }

        Interlocked.Decrement(ref _requests);
        throw new ProviderException("too many requests for tokens are under way");
    }

    private async Task<IssuedToken> RequestAsync(Entry entry, Func<Task<IssuedToken>> request)
    {
        try
        {
            var token = await request().ConfigureAwait(false);
            lock (entry)
                entry.Set(token, time.GetUtcNow());
            return token;
        }
        catch (Exception e)
        {
            var failure = e as ProviderException ?? new ProviderException($"{e.GetType().Name}: {e.Message}", e);
            bool isGood;
            lock (entry)
            {
                var now = time.GetUtcNow();
                isGood = entry.Token is not null && now < entry.Until;
                entry.RenewAt = now + RefusedFor; // the token at hand stays, and the provider gets a rest
            }

            if (isGood)
                notRenewed?.Invoke(failure);
            throw failure;
        }
        finally
        {
            Interlocked.Decrement(ref _requests);
            lock (entry)
                entry.Requested = null;
        }
    }

    private sealed class Entry
    {
        public IssuedToken? Token { get; private set; }

        public DateTimeOffset Until { get; private set; }

        public DateTimeOffset RenewAt { get; set; }

        public Task<IssuedToken>? Requested { get; set; }

        public void Set(IssuedToken token, DateTimeOffset now)
        {
            Token = token;
            if (token.Error is not null)
            {
                Until = RenewAt = now + RefusedFor;
                return;
            }

            var lifetime = token.Expires - now;
            var skew = lifetime < Skew * 5 ? lifetime / 5 : Skew;
            Until = token.Expires - skew;
            RenewAt = now + (lifetime * 0.75 < lifetime - skew ? lifetime * 0.75 : lifetime - skew);
        }
    }
}
