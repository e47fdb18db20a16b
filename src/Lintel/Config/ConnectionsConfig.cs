using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>How connections to a service's instances are kept.</summary>
public sealed record ConnectionsConfig
{
    /// <summary>
    /// Connections to an instance at most, for HTTP/1.1; further requests wait in their order, within <c>timeouts.request</c>. The event
    /// loops share them, and each has one at least. Default: 4096 for each loop. 1 to 100000.
    /// </summary>
    public int? Max { get; init; }

    /// <summary>
    /// How long a connection is used; then it is closed after its request, so that a name that resolves to other addresses is noticed.
    /// Default 5m, 1s to 1d.
    /// </summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long an unused connection is kept. Default 60s, before most servers close theirs (nginx 75 s, Kestrel 130 s; but Node 5 s), so
    /// that requests seldom meet a closing one. 100ms to 1h.
    /// </summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// For <c>protocol: http2</c>: how long a connection with requests under way may be silent before the instance is asked (PING) whether
    /// it is still there; without an answer within 20 s the connection is closed, and its requests fail. Default 6m: servers of gRPC close
    /// a connection that asks more often than every five minutes, unless they are told otherwise. 1s to 1d; 0s turns it off.
    /// </summary>
    public TimeSpan? KeepAlivePing { get; init; }

    /// <summary>
    /// Built-in value of <see cref="KeepAlivePing"/>: more than gRPC's least time between pings, 5 min (MinTime in grpc-go/keepalive, the
    /// same in grpc/doc/keepalive.md).
    /// </summary>
    internal static TimeSpan DefaultKeepAlivePing { get; } = TimeSpan.FromMinutes(6);

    internal static Grammar<ConnectionsConfig> Grammar { get; } =
        new RecordGrammar<ConnectionsConfig>(static f =>
        {
            var d = new ConnectionsConfig();
            var ping = f.FindValue("keepAlivePing", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromDays(1)));
            if (ping > TimeSpan.Zero && ping < TimeSpan.FromSeconds(1))
                f.Report(
                    "out-of-range",
                    "keepAlivePing",
                    "the minimum interval between pings is one second",
                    "write `1s` or more, or `0s` to disable pings"
                );
            return new ConnectionsConfig
            {
                Max = f.FindValue("max", Scalars.Integer(1, 100_000)),
                Lifetime = f.Get("lifetime", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), d.Lifetime),
                Idle = f.Get("idle", Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)), d.Idle),
                KeepAlivePing = ping,
            };
        });
}
