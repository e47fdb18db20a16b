using Lintel.Config;
using Lintel.Observability.Metrics;
using Lintel.Services.Attempts;
using Lintel.Services.Balancing;
using Lintel.Services.Connections;
using Lintel.Services.Health;
using Lintel.Transport.Http1;

namespace Lintel.Services;

/// <summary>
/// One process of a service, with its state. Survives reloads as long as neither its address nor the service's connections change; if the
/// latter do, a successor of the same address takes over its health, latency and count of requests.
/// </summary>
internal sealed class Instance : IDisposable
{
    private readonly UpstreamClient? _client;
    private int _active;
    private Instance? _predecessor;
    private int _users = 1;

    /// <param name="config">The configuration.</param>
    /// <param name="client">Establishes its connections; <see langword="null"/> for none.</param>
    /// <param name="predecessor">The same process with other connections, before a reload; <see langword="null"/> for none.</param>
    public Instance(InstanceConfig config, UpstreamClient? client = null, Instance? predecessor = null)
        : this(config)
    {
        _client = client;
        Connections = client?.Acquire(this);
        _predecessor = predecessor;
        Health = predecessor?.Health ?? new InstanceHealth();
        Latency = predecessor?.Latency;
    }

    private Instance(InstanceConfig config)
    {
        Health = null!; // set by the other constructor
        Address = config.Address;
        if (config.UnixPath is { } path)
        {
            Host = path;
            Authority = "localhost"; // a socket has no host name; curl and Docker use the same
            BasePath = "";
            Name = "http://unix:" + path;
            ConnectHost = UnixAddress.ToHost(path);
            Prefix = "http://" + ConnectHost;
            return;
        }

        Host = ConnectHost = config.Address.IdnHost;
        Port = config.Address.Port;
        Authority = config.Address.IsDefaultPort ? Bracketed(Host) : $"{Bracketed(Host)}:{Port}";
        BasePath = config.Address.AbsolutePath.TrimEnd('/');
        Name = config.Address.GetLeftPart(UriPartial.Path).TrimEnd('/');

        // TLS is established by UpstreamClient's own connect step, so that the handler only ever sees http: it would otherwise take the
        // name for SNI from the client's Host header.
        Prefix = "http://" + Bracketed(Host) + ":" + Port;
    }

    public Uri Address { get; }

    /// <summary>The host of its address in metrics and spans: IPv6 without brackets, the path of a Unix socket.</summary>
    public string Host { get; }

    /// <summary>The host to connect to: the same, except for Unix sockets, see <see cref="UnixAddress"/>.</summary>
    public string ConnectHost { get; }

    /// <summary>The port of its address; 0 for a Unix socket.</summary>
    public int Port { get; }

    /// <summary>Its address as shown in the log.</summary>
    public string Name { get; }

    /// <summary>Host and port as in a <c>Host</c> header.</summary>
    public string Authority { get; }

    /// <summary>The start of its URLs for the HTTP handler: scheme, host and port.</summary>
    public string Prefix { get; }

    /// <summary>A path that is prepended to that of each request; empty for none.</summary>
    public string BasePath { get; }

    /// <summary>
    /// Its connections on the event loops; <see langword="null"/> if there are no loops, or the service does not use HTTP/1.1.
    /// </summary>
    public Http1Pool? Connections { get; }

    /// <summary>The metric labels of its attempts.</summary>
    public LabelMemo<AttemptOutcome> Labels { get; } = new();

    /// <summary>What is known of its health, and whether it is held back by hand.</summary>
    public InstanceHealth Health { get; }

    /// <summary>Its latency; <see langword="null"/> if the service's balancing does not consider it.</summary>
    public PeakLatency? Latency { get; set; }

    /// <summary>Requests in flight, including those that began before a reload exchanged its connections.</summary>
    public int Active => Volatile.Read(ref _active) + (_predecessor is { } before ? ActiveOf(before) : 0);

    /// <summary>Adds a user: another generation of the service.</summary>
    /// <returns>This instance; <see langword="null"/> if the generation has other connections.</returns>
    public Instance? TryShare(UpstreamClient client)
    {
        if (_client != client)
            return null;
        Interlocked.Increment(ref _users);
        return this;
    }

    /// <summary>Removes a user. The last one closes its connections.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _client?.Release(this);
    }

    public void Enter() => Interlocked.Increment(ref _active);

    public void Exit() => Interlocked.Decrement(ref _active);

    /// <summary>Records the duration of an attempt, if the service's balancing considers it.</summary>
    public void Took(in AttemptEnd end) =>
        Latency?.Add(
            end.Latency ?? end.Duration,
            end.Verdict switch
            {
                AttemptVerdict.Success => AttemptLatency.Answer,
                AttemptVerdict.Failure => AttemptLatency.Failure,
                _ => AttemptLatency.AtLeast,
            }
        );

    private int ActiveOf(Instance predecessor)
    {
        var active = predecessor.Active;
        if (active == 0)
            _predecessor = null; // it gets no more requests, or so few that they need not be counted
        return active;
    }

    private static string Bracketed(string host) => host.Contains(':') ? $"[{host}]" : host;

    /// <summary>Whether this instance can be kept for that configuration after a reload.</summary>
    public bool Fits(InstanceConfig config) => Address == config.Address;
}
