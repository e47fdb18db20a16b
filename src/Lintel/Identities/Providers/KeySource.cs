using Lintel.Identities.Tokens;
using Microsoft.Extensions.Logging;

namespace Lintel.Identities.Providers;

/// <summary>
/// Where the keys of an issuer come from: a file, an address, or the provider's metadata. Keys from elsewhere are refreshed in the
/// background, and the last good ones are used while that fails.
/// </summary>
/// <remarks>Thread rule: any number of callers; <see cref="Refreshed{T}"/> has the only state.</remarks>
internal sealed class KeySource : IDisposable
{
    /// <summary>How often keys are fetched: Envoy's and Microsoft's automatic refresh are between 5 min and 12 h.</summary>
    internal static readonly TimeSpan Freshness = TimeSpan.FromMinutes(5);

    /// <summary>How often it is checked whether they are old, and a fetch that failed is repeated.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMinutes(1);

    private readonly KeySet? _fixed;
    private readonly Refreshed<KeySet>? _refreshed;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private ITimer? _timer;
    private long? _fetched;
    private bool _isDisposed;

    private KeySource(KeySet keys, TimeProvider time) => (_fixed, _time) = (keys, time);

    private KeySource(Func<CancellationToken, Task<KeySet>> fetch, TimeProvider time, KeySourceLog log)
    {
        _time = time;
        _refreshed = new Refreshed<KeySet>(token => FetchAsync(fetch, log, token), Freshness, time, log.Failed);
    }

    /// <summary>The keys as they are known; <see langword="null"/> before they have been fetched.</summary>
    public KeySet? Current => _fixed ?? _refreshed!.Current;

    /// <summary>Why the last fetch failed; <see langword="null"/> if it did not.</summary>
    public ProviderException? Failure => _refreshed?.Failure;

    /// <summary>The time since the last successful fetch; <see langword="null"/> for a file, and before the first one.</summary>
    public TimeSpan? Age
    {
        get
        {
            lock (_lock)
                return _fetched is { } fetched ? _time.GetElapsedTime(fetched) : null;
        }
    }

    /// <summary>Ends with the keys: the gauge of their age, for example.</summary>
    public IDisposable? Watched { private get; set; }

    /// <summary>Keys in a file.</summary>
    /// <exception cref="FormatException">It holds no key that can be used.</exception>
    public static KeySource OfFile(string file, TimeProvider time) => new(KeySet.Load(file), time);

    /// <summary>Keys at an address.</summary>
    public static KeySource OfAddress(Uri address, ProviderClient client, TimeProvider time, KeySourceLog log) =>
        new(token => FetchAsync(address, client, token), time, log);

    /// <summary>Keys of a provider that is known by its issuer.</summary>
    public static KeySource OfProvider(OpenIdProvider provider, TimeProvider time, KeySourceLog log) =>
        new(
            async token =>
            {
                var metadata = await provider.MetadataAsync(token).ConfigureAwait(false);
                var address = metadata.KeySet ?? throw new ProviderException($"the metadata of {provider.Issuer} has no `jwks_uri`");
                return await FetchAsync(address, provider.Client, token).ConfigureAwait(false);
            },
            time,
            log
        );

    /// <summary>Fetches the keys ahead of the first request, and keeps them fresh. Returns at once; later calls have no effect.</summary>
    public void Start()
    {
        if (_refreshed is not { } refreshed)
            return;
        lock (_lock)
        {
            if (!_isDisposed)
                _timer ??= _time.CreateTimer(static state => _ = RefreshAsync((Refreshed<KeySet>)state!), refreshed, TimeSpan.Zero, Tick);
        }
    }

    /// <summary>Returns the keys, fetching them if there are none yet.</summary>
    /// <exception cref="ProviderException">There are none.</exception>
    public ValueTask<KeySet> GetAsync(CancellationToken cancellationToken) =>
        _fixed is { } keys ? new(keys) : _refreshed!.GetAsync(cancellationToken);

    /// <summary>Fetches the keys anew, for a token whose key is not among them; the same keys if that was tried a moment ago.</summary>
    /// <exception cref="ProviderException">There are none.</exception>
    public ValueTask<KeySet> RenewAsync(CancellationToken cancellationToken) =>
        _fixed is { } keys ? new(keys) : new(_refreshed!.RenewAsync(cancellationToken));

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _timer?.Dispose();
        }

        Watched?.Dispose();
    }

    private static async Task RefreshAsync(Refreshed<KeySet> keys)
    {
        try
        {
            _ = await keys.GetAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (ProviderException)
        {
            // logged where it was fetched; the next tick tries again
        }
    }

    private static async Task<KeySet> FetchAsync(Uri address, ProviderClient client, CancellationToken cancellationToken)
    {
        var json = await client.GetAsync(address, cancellationToken).ConfigureAwait(false);
        try
        {
            return KeySet.Parse(json);
        }
        catch (FormatException e)
        {
            throw new ProviderException($"the key set at {address.GetLeftPart(UriPartial.Path)} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>The same keys stay the same object: what was verified with them remains verified.</summary>
    private async Task<KeySet> FetchAsync(
        Func<CancellationToken, Task<KeySet>> fetch,
        KeySourceLog log,
        CancellationToken cancellationToken
    )
    {
        var keys = await fetch(cancellationToken).ConfigureAwait(false);
        lock (_lock)
            _fetched = _time.GetTimestamp();
        if (_refreshed!.Current is { } current && current.Fingerprint == keys.Fingerprint)
            return current;
        log.Changed(keys);
        return keys;
    }
}

/// <summary>Log messages about an issuer's keys.</summary>
/// <param name="logger">The log of what policies do on their own.</param>
/// <param name="place">Where the policy is written.</param>
/// <param name="issuer">The issuer.</param>
internal sealed partial class KeySourceLog(ILogger logger, string place, string issuer)
{
    public void Failed(ProviderException failure) => LogFailed(logger, place, issuer, failure.Message);

    public void Changed(KeySet keys)
    {
        LogChanged(logger, place, keys.Count, issuer);
        if (keys.PassedOver.Count > 0)
            LogPassedOver(logger, place, issuer, string.Join("; ", keys.PassedOver));
    }

    [LoggerMessage(EventId = 1420, Level = LogLevel.Information, Message = "{Place} has {Count} keys of {Issuer}")]
    private static partial void LogChanged(ILogger logger, string place, int count, string issuer);

    [LoggerMessage(EventId = 1421, Level = LogLevel.Warning, Message = "{Place} cannot fetch the keys of {Issuer}: {Reason}")]
    private static partial void LogFailed(ILogger logger, string place, string issuer, string reason);

    [LoggerMessage(EventId = 1422, Level = LogLevel.Information, Message = "{Place} does not use all keys of {Issuer}: {Reasons}")]
    private static partial void LogPassedOver(ILogger logger, string place, string issuer, string reasons);
}
