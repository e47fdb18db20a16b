using Lintel.Config;
using Lintel.Identities.Providers;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A configuration in its running form. Immutable except for the count of requests that use it.</summary>
/// <param name="routes">All routes.</param>
/// <param name="identity">The gateway's names.</param>
/// <param name="trustedProxies">The proxies whose forwarding headers are trusted.</param>
/// <param name="onRetired">Called once, when the snapshot is replaced and its last request has ended.</param>
internal sealed class Snapshot(RouteTable<Route> routes, GatewayIdentity identity, TrustedProxies trustedProxies, Action onRetired)
{
    private const int Retired = 1 << 30;

    // Requests in flight, plus Retired once the snapshot has been replaced.
    private int _uses;

    public RouteTable<Route> Routes { get; } = routes;

    public GatewayIdentity Identity { get; } = identity;

    public TrustedProxies TrustedProxies { get; } = trustedProxies;

    /// <summary>Sampling of traces; <see langword="null"/> leaves the decision to the listener of the activity source.</summary>
    public TracingConfig? Tracing { get; init; }

    /// <summary>Reports service times to clients; <see langword="null"/> if disabled.</summary>
    public ServerTiming? ServerTiming { get; init; }

    /// <summary>
    /// Starts to look up the instances of services and to check their health; called when the snapshot is about to go live.
    /// </summary>
    public Action Start { get; init; } = static () => { };

    /// <summary>Completes when all services that look up their instances have some.</summary>
    public Func<Task> Ready { get; init; } = static () => Task.CompletedTask;

    /// <summary>The clients that are recognized by a credential.</summary>
    public ClientDirectory Clients { get; init; } = ClientDirectory.None;

    /// <summary>The public keys of the tokens that policies sign for services.</summary>
    public IReadOnlyList<PublicKey> PublicKeys { get; init; } = [];

    /// <summary>Cookies of the gateway's policies, which services do not receive (<see cref="IOwningCookies"/>).</summary>
    public string[] OwnCookies { get; init; } = [];

    /// <summary>Whether a policy of any route answers CORS preflights.</summary>
    public bool AnswersPreflights { get; init; }

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _uses) < Retired)
            return true;
        Exit();
        return false;
    }

    public void Exit()
    {
        if (Interlocked.Decrement(ref _uses) == Retired)
            Finish();
    }

    public void Retire()
    {
        if (Interlocked.Add(ref _uses, Retired) == Retired)
            Finish();
    }

    // A request that enters and leaves in between also decrements the count to Retired: only the first call applies.
    private void Finish()
    {
        if (Interlocked.CompareExchange(ref _uses, Retired + (Retired / 2), Retired) == Retired)
            onRetired();
    }
}

/// <summary>The gateway's names.</summary>
/// <param name="Name">The name in <c>Proxy-Status</c>.</param>
/// <param name="Via">The name in <c>Via</c>, which identifies a request that returns to the gateway.</param>
internal sealed record GatewayIdentity(string Name, string Via)
{
    /// <summary>The complete item of <c>Via</c> for a request received by HTTP/1.1.</summary>
    public string ViaHttp11 { get; } = "1.1 " + Via;

    /// <summary>The same for HTTP/2.</summary>
    public string ViaHttp2 { get; } = "2.0 " + Via;
}

/// <summary>Holder of the current snapshot, which is replaced atomically.</summary>
internal sealed class SnapshotHolder
{
    private volatile Snapshot? _current;

    /// <summary>
    /// Acquires the current snapshot for one request; <see langword="null"/> before the first one. The caller must call
    /// <see cref="Snapshot.Exit"/>.
    /// </summary>
    public Snapshot? Enter()
    {
        // A snapshot that was retired between the read and the increment has a successor: read again.
        while (_current is { } snapshot)
        {
            if (snapshot.TryEnter())
                return snapshot;
        }

        return null;
    }

    /// <summary>The public keys of the current snapshot.</summary>
    public IReadOnlyList<PublicKey> PublicKeys => _current?.PublicKeys ?? [];

    /// <summary>Makes a snapshot current and retires the previous one.</summary>
    public void Swap(Snapshot next)
    {
        var previous = Interlocked.Exchange(ref _current, next);
        if (previous != next)
            previous?.Retire();
    }

    /// <summary>Withdraws and retires a first snapshot that could not be kept; false if it is not current.</summary>
    public bool Withdraw(Snapshot snapshot)
    {
        if (Interlocked.CompareExchange(ref _current, null, snapshot) != snapshot)
            return false;
        snapshot.Retire();
        return true;
    }
}
