using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>What becomes of request headers whose names hold an underscore.</summary>
public enum UnderscoreFields
{
    /// <summary>They are not passed on.</summary>
    Drop,

    /// <summary>They are passed on.</summary>
    Allow,
}

/// <summary>How much one listener takes from its clients. What is beyond is refused, and counted by the error's kind.</summary>
public sealed record ListenerLimitsConfig
{
    /// <summary>Built-in value of <see cref="QueryParameters"/>, for requests of other hosts' listeners too.</summary>
    internal const int DefaultQueryParameters = 1000;

    /// <summary>
    /// The request line. Default 8KiB (RFC 9112 section 3 asks for 8000 bytes at least; Kestrel's and nginx' default), 256B to 1MiB.
    /// Beyond: 414.
    /// </summary>
    public int RequestLine { get; init; } = 8 * 1024;

    /// <summary>
    /// All headers of a request together, line ends included; the same again for trailers. Default 32KiB (Kestrel's; nginx has four buffers
    /// of 8 KiB), 1KiB to 1MiB. Beyond: 431.
    /// </summary>
    public int Headers { get; init; } = 32 * 1024;

    /// <summary>How many headers a request has, trailers included. Default 100 (Kestrel's and Apache's), 10 to 2000. Beyond: 431.</summary>
    public int HeaderCount { get; init; } = 100;

    /// <summary>
    /// How many parameters a query has: conditions and placeholders read each of them. Default 1000 (PHP's <c>max_input_vars</c>; .NET's
    /// form limit is 1024), 1 to 100000. Beyond: 400.
    /// </summary>
    public int QueryParameters { get; init; } = DefaultQueryParameters;

    /// <summary>
    /// <c>drop</c> (default, nginx' too) or <c>allow</c>: what becomes of request headers whose names hold <c>_</c>. Services behind CGI,
    /// WSGI or PHP take <c>X_User</c> for <c>X-User</c>, so that a client could speak for the gateway.
    /// </summary>
    public UnderscoreFields Underscores { get; init; }

    /// <summary>
    /// A request's body. Default: any size, since bodies stream through and are never kept; a route's <c>limits.body</c> goes before it.
    /// Beyond: 413.
    /// </summary>
    public long? Body { get; init; }

    /// <summary>
    /// Connections at once. Beyond, the one that is idle longest is closed for the newcomer; where none is idle, the newcomer is closed.
    /// Default: 45 % of the process's descriptor limit, since each may need a second one towards a service. 1 to 1000000.
    /// </summary>
    public int? Connections { get; init; }

    /// <summary>
    /// Connections at once of one client's address; one more is closed at once. Default: no limit of its own, since many clients may stand
    /// behind one address. 1 to 1000000. HTTP/3's are not counted.
    /// </summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>
    /// Requests at once on one HTTP/2 or HTTP/3 connection. Default 100 (RFC 9113 section 5.1.2 advises no less; Kestrel's), 1 to 10000.
    /// Beyond: the stream is refused.
    /// </summary>
    public int Streams { get; init; } = 100;

    /// <summary>How long a connection may stand idle between requests. Default 75s (nginx), 1s to 1d. Then it is closed.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>
    /// From a request's first byte to the end of its headers; looked at once a second. Default 30s (Kestrel's; nginx has 60 s), 1s to 1h.
    /// Beyond: 408.
    /// </summary>
    public TimeSpan HeadTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// For a TLS handshake, or the header of the PROXY protocol. Default 10s (Kestrel's), 100ms to 10m. Then the connection is closed.
    /// </summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The slowest request body, in bytes a second, after 5 s of grace. Default 240B (Kestrel's), 0B for none, to 1GiB. Beyond: 408.
    /// Upgraded connections and gRPC calls have no such bound.
    /// </summary>
    public int MinRequestRate { get; init; } = 240;

    /// <summary>
    /// The slowest reader of a response, in bytes a second, after 5 s of grace. Default 240B (Kestrel's), 0B for none, to 1GiB. Beyond: the
    /// connection is cut.
    /// </summary>
    public int MinResponseRate { get; init; } = 240;

    internal static Grammar<ListenerLimitsConfig> Grammar { get; } =
        new RecordGrammar<ListenerLimitsConfig>(static f =>
        {
            var d = new ListenerLimitsConfig();
            return new ListenerLimitsConfig
            {
                RequestLine = (int)f.Get("requestLine", Scalars.Size(256, 1024 * 1024), d.RequestLine),
                Headers = (int)f.Get("headers", Scalars.Size(1024, 1024 * 1024), d.Headers),
                HeaderCount = f.Get("headerCount", Scalars.Integer(10, 2000), d.HeaderCount),
                QueryParameters = f.Get("queryParameters", Scalars.Integer(1, 100_000), d.QueryParameters),
                Underscores = f.Get(
                    "underscores",
                    Scalars.Choice([("drop", UnderscoreFields.Drop), ("allow", UnderscoreFields.Allow)]),
                    d.Underscores
                ),
                Body = f.FindValue("body", Scalars.Size(0, 1L << 50)),
                Connections = f.FindValue("connections", Scalars.Integer(1, 1_000_000)),
                ConnectionsPerClient = f.FindValue("connectionsPerClient", Scalars.Integer(1, 1_000_000)),
                Streams = f.Get("streams", Scalars.Integer(1, 10_000), d.Streams),
                KeepAlive = f.Get("keepAlive", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), d.KeepAlive),
                HeadTimeout = f.Get("headTimeout", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1)), d.HeadTimeout),
                HandshakeTimeout = f.Get(
                    "handshakeTimeout",
                    Scalars.Duration(TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10)),
                    d.HandshakeTimeout
                ),
                MinRequestRate = (int)f.Get("minRequestRate", Scalars.Size(0, 1024 * 1024 * 1024), d.MinRequestRate),
                MinResponseRate = (int)f.Get("minResponseRate", Scalars.Size(0, 1024 * 1024 * 1024), d.MinResponseRate),
            };
        });
}
