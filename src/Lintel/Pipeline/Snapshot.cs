using Lintel.Config;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>A configuration in its running form. Immutable but for the count of requests that still use it.</summary>
/// <param name="routes">All routes.</param>
/// <param name="identity">How the gateway names itself.</param>
/// <param name="trustedProxies">Whose forwarding headers are believed.</param>
/// <param name="onRetired">Called once, when the snapshot is replaced and its last request has ended.</param>
internal sealed class Snapshot(RouteTable<Route> routes, GatewayIdentity identity, TrustedProxies trustedProxies, Action onRetired)
{
    private const int Retired = 1 << 30;

    // Requests in flight, plus Retired once the snapshot was replaced.
    private int _uses;

    public RouteTable<Route> Routes { get; } = routes;

    public GatewayIdentity Identity { get; } = identity;

    public TrustedProxies TrustedProxies { get; } = trustedProxies;

    /// <summary>Which traces are recorded; <see langword="null"/> leaves it to whoever listens to the activity source.</summary>
    public TracingConfig? Tracing { get; init; }

    /// <summary>Tells clients how long services took; <see langword="null"/> for not telling.</summary>
    public ServerTiming? ServerTiming { get; init; }

    /// <summary>Whether a policy of any route answers CORS preflights.</summary>
    public bool AnswersPreflights { get; init; }

    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _uses) < Retired)
            return true;
        Leave();
        return false;
    }

    public void Leave()
    {
        if (Interlocked.Decrement(ref _uses) == Retired)
            Finish();
    }

    public void Retire()
    {
        if (Interlocked.Add(ref _uses, Retired) == Retired)
            Finish();
    }

    // A request that came between and left again also sees the count fall to Retired: only the first call counts.
    private void Finish()
    {
        if (Interlocked.CompareExchange(ref _uses, Retired + (Retired / 2), Retired) == Retired)
            onRetired();
    }
}

/// <summary>How the gateway names itself.</summary>
/// <param name="Name">In <c>Proxy-Status</c>.</param>
/// <param name="Via">In <c>Via</c>: by it a request that comes back is recognised.</param>
internal sealed record GatewayIdentity(string Name, string Via)
{
    /// <summary>The whole item of <c>Via</c> for a request that came by HTTP/1.1.</summary>
    public string ViaHttp11 { get; } = "1.1 " + Via;

    /// <summary>The same for HTTP/2.</summary>
    public string ViaHttp2 { get; } = "2.0 " + Via;
}

/// <summary>The one reference by which a new snapshot goes live.</summary>
internal sealed class SnapshotHolder
{
    private volatile Snapshot? _current;

    /// <summary>
    /// Takes the current snapshot for one request; <see langword="null"/> before the first one. The caller calls
    /// <see cref="Snapshot.Leave"/>.
    /// </summary>
    public Snapshot? Enter()
    {
        // A snapshot that was retired between the read and the count has a successor: read again.
        while (_current is { } snapshot)
        {
            if (snapshot.TryEnter())
                return snapshot;
        }

        return null;
    }

    /// <summary>Makes a snapshot current and retires the one before.</summary>
    public void Swap(Snapshot next)
    {
        var previous = Interlocked.Exchange(ref _current, next);
        if (previous != next)
            previous?.Retire();
    }

    /// <summary>Takes a snapshot back that was the first and could not stay, and retires it; false where it is not current.</summary>
    public bool Withdraw(Snapshot snapshot)
    {
        if (Interlocked.CompareExchange(ref _current, null, snapshot) != snapshot)
            return false;
        snapshot.Retire();
        return true;
    }
}
