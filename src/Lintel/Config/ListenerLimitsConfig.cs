using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>How request headers with an underscore in their name are treated.</summary>
public enum UnderscoreFields
{
    /// <summary>They are not forwarded.</summary>
    Drop,

    /// <summary>They are forwarded.</summary>
    Allow,
}

/// <summary>Limits of a listener. Requests beyond them are refused, and counted by kind of error.</summary>
public sealed record ListenerLimitsConfig
{
    /// <summary>Default of <see cref="QueryParameters"/>, also for requests of other hosts' listeners.</summary>
    internal const int DefaultQueryParameters = 1000;

    /// <summary>
    /// The maximum length of the request line. Default 8KiB (RFC 9112 section 3 requires at least 8000 bytes; the default of Kestrel and
    /// nginx), 256B to 1MiB. Beyond it: 414.
    /// </summary>
    public int RequestLine { get; init; } = 8 * 1024;

    /// <summary>
    /// The maximum size of all headers of a request, including line ends; the same again for trailers. Default 32KiB (Kestrel's; nginx has
    /// four buffers of 8 KiB), 1KiB to 1MiB. Beyond it: 431.
    /// </summary>
    public int Headers { get; init; } = 32 * 1024;

    /// <summary>
    /// The maximum number of headers of a request, including trailers. Default 100 (Kestrel's and Apache's), 10 to 2000. Beyond it: 431.
    /// </summary>
    public int HeaderCount { get; init; } = 100;

    /// <summary>
    /// The maximum number of query parameters: conditions and placeholders read each of them. Default 1000 (PHP's <c>max_input_vars</c>;
    /// .NET's form limit is 1024), 1 to 100000. Beyond it: 400.
    /// </summary>
    public int QueryParameters { get; init; } = DefaultQueryParameters;

    /// <summary>
    /// <c>drop</c> (default, as in nginx) or <c>allow</c>: how request headers with <c>_</c> in their name are treated. Services behind
    /// CGI, WSGI or PHP cannot tell <c>X_User</c> from <c>X-User</c>, so a client could forge headers of the gateway.
    /// </summary>
    public UnderscoreFields Underscores { get; init; }

    /// <summary>
    /// The maximum size of a request body. Default: unlimited, because bodies are streamed and never stored; a route's <c>limits.body</c>
    /// takes precedence. Beyond it: 413.
    /// </summary>
    public long? Body { get; init; }

    /// <summary>
    /// The maximum number of connections. Beyond it, the longest idle connection is closed in favor of the new one; if none is idle, the
    /// new one is closed. Default: 45 % of the process's descriptor limit, because each connection may need a second one to a service. 1 to
    /// 1000000.
    /// </summary>
    public int? Connections { get; init; }

    /// <summary>
    /// The maximum number of connections per client address; further ones are closed immediately. Default: no limit, because many clients
    /// may share one address. 1 to 1000000. HTTP/3 connections are not counted.
    /// </summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>
    /// The maximum number of concurrent requests on an HTTP/2 or HTTP/3 connection. Default 100 (the minimum that RFC 9113 section 5.1.2
    /// recommends; Kestrel's), 1 to 10000. Beyond it: the stream is refused.
    /// </summary>
    public int Streams { get; init; } = 100;

    /// <summary>How long a connection may be idle between requests. Default 75s (nginx), 1s to 1d. Then it is closed.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>
    /// The timeout from the first byte of a request to the end of its headers; checked once per second. Default 30s (Kestrel's; nginx has
    /// 60 s), 1s to 1h. Beyond it: 408.
    /// </summary>
    public TimeSpan HeadTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The timeout of a TLS handshake, or of the PROXY protocol header. Default 10s (Kestrel's), 100ms to 10m. Then the connection is
    /// closed.
    /// </summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The minimum rate of a request body, in bytes per second, after a grace period of 5 s. Default 240B (Kestrel's), 0B for none, to
    /// 1GiB. Below it: 408. It does not apply to upgraded connections and gRPC calls.
    /// </summary>
    public int MinRequestRate { get; init; } = 240;

    /// <summary>
    /// The minimum rate at which a client reads a response, in bytes per second, after a grace period of 5 s. Default 240B (Kestrel's), 0B
    /// for none, to 1GiB. Below it the connection is aborted.
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
