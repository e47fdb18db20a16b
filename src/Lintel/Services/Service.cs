using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Services.Attempts;
using Lintel.Services.Balancing;
using Lintel.Services.Breaking;
using Lintel.Services.Connections;
using Lintel.Services.Discovery;
using Lintel.Services.Health;

namespace Lintel.Services;

/// <summary>
/// A microservice in its running form: instances, balancing, connections. Shared by snapshots with the same configuration of it.
/// </summary>
internal sealed class Service : IDisposable
{
    private const int SlowStartSteps = 10;

    private readonly UpstreamClient _client;
    private readonly ServiceParts _parts;
    private readonly BalancingParts _balancing;
    private readonly RequestKeys? _keys;
    private readonly Lock _exchange = new();
    private volatile InstanceSet _instances;
    private ITimer? _slowStart;
    private bool _isOver;

    /// <summary>
    /// Creates a service and takes over from the previous one what did not change: connections, and instances with their counts.
    /// </summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate file is not valid.</exception>
    public Service(
        string name,
        ServiceConfig config,
        TimeoutsConfig defaults,
        ServiceCertificates certificates,
        Service? previous,
        Random random,
        UpstreamDependencies dependencies
    )
    {
        Name = name;
        Config = config;
        _parts = dependencies.Services;
        Defaults = defaults;
        Certificates = certificates.Fingerprint();
        (var connect, RequestTimeout, IdleTimeout) = config.Timeouts.Over(defaults);
        Identity = Fingerprint(name, config, Certificates);
        _balancing = new BalancingParts(random, dependencies.Services.Time, previous?._balancing.Turn ?? new RoundRobinTurn());
        Affinity = config.Affinity is { } affinity ? new Affinity(affinity, dependencies.AffinityKey) : null;
        if (config.Balancing.ConsistentHash is not null || Affinity is not null)
            _keys = new RequestKeys(config.Balancing.ConsistentHash, Affinity);

        var client = new UpstreamClientConfig(
            config.Protocol,
            config.Tls with
            {
                ServerName = config.Tls.ServerName ?? config.Discover?.ServerName,
            },
            ServiceCertificates.UsesTls(config),
            connect,
            config.Connections,
            Certificates,
            config.Handler
        )
        {
            AllowsBareLf = config.Lenient.Contains(Leniency.BareLf),
            AllowsEqualLengths = config.Lenient.Contains(Leniency.EqualLengths),
        };
        _client =
            previous is not null && previous._client.Fits(client)
                ? previous._client.Share()
                : new UpstreamClient(client, certificates, name, dependencies);
        HasLoops = dependencies.Loops is not null && config is { Protocol: ServiceProtocol.Http1, Handler: null };
        Retries = Keep(config.Retry, previous?.Retries, r => r.Config, r => new RetryRules(r, dependencies.Services.Time, random))
            ?? RetryRules.Default;
        Hedging = Keep(config.Hedge, previous?.Hedging, h => h.Config, h => new Hedging(h));
        Breaker = Keep(config.Breaker, previous?.Breaker, b => b.Config, b => new CircuitBreaker(name, b, dependencies.Services));
        Bulkhead = Keep(config.Limits, previous?.Bulkhead, b => b.Config, l => new Bulkhead(l, dependencies.Services.Time));
        Discovery = InstanceDiscovery.Of(name, config.Discover, dependencies.Discovery, previous?.Discovery);
        var instances = Discovery?.Current ?? config.Instances;
        lock (_exchange)
            _instances = Arrange_NeedsLock(Take_NeedsLock(instances, previous?._instances, followed: []));
        if (config.Health is { } health)
        {
            Health = new ServiceHealth(this, health, dependencies.Services);
            Health.Watch(_instances.All);
        }

        Discovery?.Attach(this, instances);
    }

    public string Name { get; }

    public ServiceConfig Config { get; }

    public TimeoutsConfig Defaults { get; }

    /// <summary>Fingerprint of the certificate files' content.</summary>
    public string Certificates { get; }

    /// <summary>
    /// Distinguishes the service from those of the same name with other addresses or keys: a response of one does not apply to the others.
    /// </summary>
    public string Identity { get; }

    public TimeSpan RequestTimeout { get; }

    public TimeSpan IdleTimeout { get; }

    /// <summary>Whether gRPC-Web calls are translated to plain gRPC for this service.</summary>
    public bool TranslatesGrpcWeb => Config.Protocol == ServiceProtocol.Http2 && (Config.GrpcWeb ?? true);

    /// <summary>Decides which instances receive requests; <see langword="null"/> if all of them always do.</summary>
    public ServiceHealth? Health { get; }

    /// <summary>When a failed attempt is followed by another one.</summary>
    public RetryRules Retries { get; }

    /// <summary>When slow requests are sent again; <see langword="null"/> if they never are.</summary>
    public Hedging? Hedging { get; }

    /// <summary>Refuses attempts while the service fails; <see langword="null"/> if none is configured.</summary>
    public CircuitBreaker? Breaker { get; }

    /// <summary>Limits the attempts in flight; <see langword="null"/> if no limit is configured.</summary>
    public Bulkhead? Bulkhead { get; }

    /// <summary>Keeps clients on an instance; <see langword="null"/> if they are not kept.</summary>
    public Affinity? Affinity { get; }

    /// <summary>Whether its balancing, or its limit of attempts in flight, considers how long instances take to answer.</summary>
    public bool MeasuresLatency => Config.Balancing.Kind == BalancingKind.Ewma || Config.Limits is { Adaptive: true };

    /// <summary>Looks the instances up; <see langword="null"/> if they are configured.</summary>
    public InstanceDiscovery? Discovery { get; }

    /// <summary>The current instances.</summary>
    public InstanceSet Instances => _instances;

    /// <summary>Whether its connections run on event loops: each instance then has <see cref="Instance.Connections"/>.</summary>
    public bool HasLoops { get; }

    public HttpMessageInvoker Invoker => _client.Invoker;

    public int OpenConnections(Instance instance) => _client.OpenConnections(instance);

    /// <summary>
    /// What a client's request says about the instance: its hash for <c>consistentHash</c>, its pin for <c>affinity</c>. The default value,
    /// at no cost, if the service has neither.
    /// </summary>
    public RequestKey KeyOf(Exchange exchange) => _keys?.Of(exchange) ?? default;

    /// <summary>
    /// The <c>Set-Cookie</c> that pins a client to an instance; <see langword="null"/> if it is pinned to it, or clients are not pinned.
    /// </summary>
    public string? PinTo(Instance instance, RequestKey key, bool isHttps) =>
        Affinity is { } affinity && _instances.Pinned(key) != instance ? affinity.Render(affinity.TokenOf(instance), isHttps) : null;

    /// <summary>The <c>Host</c> for an instance.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="client">The host that the client sent; HTTP/1.0 does not require one.</param>
    public string HostFor(Instance instance, string? client) =>
        Config.Host switch
        {
            "request" when !string.IsNullOrEmpty(client) => client,
            "request" => instance.Authority,
            "instance" => instance.Authority,
            var host => host,
        };

    /// <summary>
    /// Replaces the instances, without a new snapshot: instances that remain keep their connections and counts, removed ones complete their
    /// requests in flight.
    /// </summary>
    /// <remarks>Thread rule: any thread; requests see the old set or the new one.</remarks>
    public void Exchange(IEnumerable<InstanceConfig> instances)
    {
        InstanceSet before;
        lock (_exchange)
        {
            before = _instances;
            _instances = Arrange_NeedsLock(Take_NeedsLock(instances, before, before.All));
        }

        Health?.Watch(_instances.All);
        foreach (var instance in before.All)
            instance.Dispose();
    }

    /// <summary>Holds an instance back by hand.</summary>
    /// <param name="instance">One of its instances.</param>
    /// <param name="kind">How.</param>
    /// <param name="client">Who does it, for the log.</param>
    /// <param name="reason">Why, in his words; <see langword="null"/> for none.</param>
    public void HoldBack(Instance instance, HoldKind kind, string client, string? reason)
    {
        instance.Health.HoldBack(new InstanceHold(kind, _parts.Time.GetUtcNow(), reason));
        Log(instance, kind == HoldKind.Drained ? "drained" : "ejected", client, reason);
    }

    /// <summary>Ends what holds an instance back by hand, and an ejection for its failures.</summary>
    /// <param name="instance">One of its instances.</param>
    /// <param name="client">Who does it, for the log.</param>
    /// <param name="reason">Why, in his words; <see langword="null"/> for none.</param>
    public void Return(Instance instance, string client, string? reason)
    {
        instance.Health.Return(_parts.Time.GetUtcNow(), _parts.Time.GetTimestamp());
        Log(instance, "returned", client, reason);
    }

    /// <summary>
    /// Begins to look after its instances. Called when the configuration goes live: one that is only validated or explained sends and
    /// changes nothing.
    /// </summary>
    public void Start()
    {
        Health?.Start();
        foreach (var instance in _instances.All)
            instance.Health.Trust(Config.Health, _parts.Time.GetUtcNow(), _parts.Time.GetTimestamp());
    }

    /// <summary>Rebuilds the set after a change of availability, and with each step of a slow start.</summary>
    public void Renew()
    {
        lock (_exchange)
        {
            if (!_isOver)
                _instances = Arrange_NeedsLock(_instances.Members);
        }
    }

    public void Dispose()
    {
        Discovery?.Detach(this); // first: no instances come from here on
        Health?.Dispose();
        lock (_exchange)
        {
            _isOver = true;
            _slowStart?.Dispose();
            foreach (var instance in _instances.All)
                instance.Health.Changed -= Renew;
        }

        foreach (var instance in _instances.All)
            instance.Dispose();
        _client.Dispose();
    }

    /// <summary>Takes over instances: follows the availability of new ones, and no longer that of those that are gone.</summary>
    /// <param name="instances">The configuration of all.</param>
    /// <param name="before">The set before, of this generation or the previous one.</param>
    /// <param name="followed">The instances that this generation follows.</param>
    private Member[] Take_NeedsLock(IEnumerable<InstanceConfig> instances, InstanceSet? before, Instance[] followed)
    {
        Member[] members = [.. instances.Select(i => Join(i, before))];
        foreach (var gone in followed.Except(members.Select(m => m.Instance)))
            gone.Health.Changed -= Renew;
        foreach (var added in members.Select(m => m.Instance).Except(followed))
            added.Health.Changed += Renew; // before anybody looks at its availability: no change is missed
        return members;
    }

    /// <summary>
    /// Returns the instance of a configuration: the one of the set before, or its successor if it has other connections, otherwise a new
    /// one.
    /// </summary>
    private Member Join(InstanceConfig config, InstanceSet? before)
    {
        var known = before is null ? null : Array.Find(before.All, i => i.Fits(config));
        var instance = known?.TryShare(_client) ?? new Instance(config, _client, known);
        if (known is null && before is not null)
            instance.Health.Joined = _balancing.Time.GetTimestamp();

        if (Config.Balancing.Kind == BalancingKind.Ewma)
        {
            var decay = (Config.Balancing.Ewma ?? new()).Decay;
            if (instance.Latency?.Decay != decay)
                instance.Latency = new PeakLatency(decay, _balancing.Time);
        }

        return new Member(instance, config, Affinity?.TokenOf(instance) ?? 0);
    }

    /// <summary>Returns the part of the previous generation if it has the same configuration, so that its state survives reloads.</summary>
    private static TPart? Keep<TConfig, TPart>(
        TConfig? config,
        TPart? previous,
        Func<TPart, TConfig?> configOf,
        Func<TConfig, TPart> create
    )
        where TConfig : class, IEquatable<TConfig>
        where TPart : class
    {
        if (config is null)
            return null;
        return previous is not null && config.Equals(configOf(previous)) ? previous : create(config);
    }

    private void Log(Instance instance, string change, string client, string? reason) =>
        HealthLog.ChangedByHand(_parts.Logger, instance.Name, Name, change, client, reason ?? "no reason given");

    private InstanceSet Arrange_NeedsLock(Member[] members)
    {
        var set = new InstanceSet(members, Config, _balancing);
        if (set.Shares.IsRamping)
        {
            _slowStart ??= _balancing.Time.CreateTimer(
                static s => ((Service)s!).Renew(),
                this,
                System.Threading.Timeout.InfiniteTimeSpan,
                System.Threading.Timeout.InfiniteTimeSpan
            );
            _slowStart.Change(Config.SlowStart!.Value / SlowStartSteps, System.Threading.Timeout.InfiniteTimeSpan);
        }

        return set;
    }

    private static string Fingerprint(string name, ServiceConfig config, string certificates)
    {
        var text = string.Join(
            '\n',
            [
                name,
                config.Protocol.ToString(),
                config.Host,
                certificates,
                config.Tls.ToString(),
                config.Discover?.Source,
                .. config.Instances.Select(i => i.Address.AbsoluteUri),
            ]
        );
        return Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
