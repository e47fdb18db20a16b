using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>The connection pool of a service's instances.</summary>
public sealed record ConnectionsConfig
{
    /// <summary>
    /// The maximum number of connections to an instance, for HTTP/1.1; further requests wait in order, within <c>timeouts.request</c>. The
    /// event loops share the limit, and each has at least one. Default: 4096 per loop. 1 to 100000.
    /// </summary>
    public int? Max { get; init; }

    /// <summary>
    /// The maximum lifetime of a connection; it is closed after its current request, so that changed addresses of a name take effect.
    /// Default 5m, 1s to 1d.
    /// </summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long an idle connection is kept. Default 60s, less than the keep-alive of most servers (nginx 75 s, Kestrel 130 s; but Node 5
    /// s), so that requests seldom meet a connection that is being closed. 100ms to 1h.
    /// </summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// For <c>protocol: http2</c>: how long a connection with requests in flight may be silent before a PING is sent; without a reply
    /// within 20 s the connection is closed, and its requests fail. Default 6m: gRPC servers close a connection that is pinged more often
    /// than every five minutes, unless configured otherwise. 1s to 1d; 0s disables pings.
    /// </summary>
    public TimeSpan? KeepAlivePing { get; init; }

    /// <summary>
    /// Default of <see cref="KeepAlivePing"/>: more than gRPC's minimum time between pings, 5 min (MinTime in grpc-go/keepalive, the same
    /// in grpc/doc/keepalive.md).
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
