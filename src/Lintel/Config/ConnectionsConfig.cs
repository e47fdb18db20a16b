namespace Lintel.Config;

/// <summary>How connections to a service's instances are kept.</summary>
public sealed record ConnectionsConfig
{
    /// <summary>
    /// Connections to an instance at most, for HTTP/1.1; further requests wait in their order, within <c>timeouts.request</c>. The event loops share them, and each has one at least. Default: 4096 for each loop. 1 to 100000.
    /// </summary>
    public int? Max { get; init; }

    /// <summary>How long a connection is used; then it is closed after its request, so that a name that resolves to other addresses is noticed. Default 5m, 1s to 1d.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long an unused connection is kept. Default 60s, before most servers close theirs (nginx 75 s, Kestrel 130 s; but Node 5 s), so that requests seldom meet a closing one. 100ms to 1h.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    internal static Grammar<ConnectionsConfig> Grammar { get; } = new RecordGrammar<ConnectionsConfig>(static f =>
    {
        var d = new ConnectionsConfig();
        return new ConnectionsConfig
        {
            Max = f.FindValue("max", Scalars.Integer(1, 100_000)),
            Lifetime = f.Get("lifetime", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), d.Lifetime),
            Idle = f.Get("idle", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.Idle),
        };
    });
}
