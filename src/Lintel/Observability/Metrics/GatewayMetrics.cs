using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Transport.Memory;

namespace Lintel.Observability.Metrics;

/// <summary>The gateway's instruments, under OpenTelemetry's semantic names for HTTP where they have one.</summary>
/// <remarks>
/// Every label is a name from the configuration, a number of bounded range, or a word of a fixed list: clients cannot create series.
/// </remarks>
internal sealed class GatewayMetrics
{
    /// <summary>The label of unknown methods (semantic conventions, HTTP, <c>http.request.method</c>).</summary>
    internal const string OtherMethod = "_OTHER";

    // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ (advised boundaries, in seconds)
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    // What the gateway adds is some 100 µs on a quiet machine (bench/results): fine steps there, coarse ones where something is wrong
    // anyway.
    private static readonly InstrumentAdvice<double> FineSeconds = new()
    {
        HistogramBucketBoundaries = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    };

    // From a handshake inside one rack to timeouts.connect.
    private static readonly InstrumentAdvice<double> ConnectSeconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    private readonly Meter _meter;
    private readonly Histogram<double> _server;
    private readonly Histogram<double> _gateway;
    private readonly Histogram<double> _client;
    private readonly Histogram<double> _connect;
    private readonly ActiveRequests _active = new();
    private readonly Counter<long> _errors;
    private readonly ConcurrentDictionary<string, StrongBox<long>> _broken = new(StringComparer.Ordinal);
    private readonly Counter<long> _ejections;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _hedges;
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _breakerOpenings;
    private readonly Counter<long> _shed;
    private readonly Counter<long> _reloads;
    private readonly Counter<long> _mirrors;
    private readonly Counter<long> _faults;
    private readonly Counter<long> _sessions;
    private readonly Gauge<int> _fallback;
    private readonly ProviderUse _providers;
    private long _stalls;
    private double _appliedAt;
    private int _lastReload = -1;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">The host's meter factory.</param>
    public GatewayMetrics(IMeterFactory factory)
    {
        _meter = factory.Create(GatewayTelemetry.MeterName);
        _server = _meter.CreateHistogram("http.server.request.duration", "s", "Duration of client requests.", null, Seconds);
        _meter.CreateObservableUpDownCounter("http.server.active_requests", _active.Observe, "{request}", "Client requests in flight.");
        _gateway = _meter.CreateHistogram(
            "lintel.gateway.duration",
            "s",
            "Latency added by the gateway: the duration of a request without the time spent in attempts.",
            null,
            FineSeconds
        );
        _errors = _meter.CreateCounter<long>(
            "lintel.errors",
            "{error}",
            "Requests that ended with an error of the gateway, by kind of error."
        );
        _meter.CreateObservableCounter(
            "lintel.listener.protocol_errors",
            ObserveBroken,
            "{error}",
            "Connections and streams of HTTP/2 and HTTP/3 that ended because of a protocol error of the client, before a request existed."
        );
        _client = _meter.CreateHistogram("http.client.request.duration", "s", "Duration of attempts to instances.", null, Seconds);
        _connect = _meter.CreateHistogram(
            "lintel.service.connect.duration",
            "s",
            "Duration of connection attempts to instances, including TLS.",
            null,
            ConnectSeconds
        );
        _ejections = _meter.CreateCounter<long>(
            "lintel.instance.ejections",
            "{ejection}",
            "Instances that were left out for a while because they failed too often."
        );
        _retries = _meter.CreateCounter<long>("lintel.service.retries", "{retry}", "Attempts that followed a failed one, by reason.");
        _hedges = _meter.CreateCounter<long>(
            "lintel.service.hedges",
            "{request}",
            "Slow requests that were also sent to another instance."
        );
        _refusals = _meter.CreateCounter<long>(
            "lintel.service.refused",
            "{request}",
            "Requests that were refused in place of a service: its circuit breaker is open, or it is busy."
        );
        _breakerOpenings = _meter.CreateCounter<long>("lintel.service.breaker.opened", "{opening}", "Openings of circuit breakers.");
        _shed = _meter.CreateCounter<long>(
            "lintel.requests.shed",
            "{request}",
            "Requests that were refused because the gateway itself is overloaded, by the resource that is short and the route's priority."
        );
        _reloads = _meter.CreateCounter<long>("lintel.config.reloads", "{reload}", "Configuration loads, by result.");
        _mirrors = _meter.CreateCounter<long>("lintel.mirror.requests", "{request}", "Copies sent to mirror services, by result.");
        _faults = _meter.CreateCounter<long>("lintel.faults", "{fault}", "Faults that policies injected for drills, by route and kind.");
        _sessions = _meter.CreateCounter<long>(
            "lintel.session.events",
            "{event}",
            "Logins, refreshes and ends of sessions, by policy and event."
        );
        _meter.CreateObservableCounter(
            "lintel.loop.stalls",
            () => Interlocked.Read(ref _stalls),
            "{stall}",
            "Callbacks that blocked an event loop, and every connection on it, for 50 ms or more."
        );
        _meter.CreateObservableGauge(
            "lintel.config.applied.time",
            ObserveApplied,
            "s",
            "Time at which the served configuration was applied, in Unix time."
        );
        _meter.CreateObservableGauge(
            "lintel.config.last_reload.successful",
            ObserveLastReload,
            description: "1 if the last configuration load was applied, 0 if it was refused."
        );
        _providers = new ProviderUse(_meter);
        _fallback = _meter.CreateGauge<int>(
            "lintel.config.fallback",
            description: "1 while the last good configuration is served because the given files are not valid."
        );
    }

    /// <summary>Watches the access log's lost lines.</summary>
    internal void ObserveLostLines(Func<long> lost) =>
        _meter.CreateObservableCounter(
            "lintel.access_log.dropped",
            lost,
            "{line}",
            "Access log lines that were dropped because the queue was full or the sink failed."
        );

    /// <summary>Observes the memory budget.</summary>
    internal void ObserveMemory(MemoryBudget memory)
    {
        _meter.CreateObservableUpDownCounter("lintel.memory.limit", () => memory.Limit, "By", "Limit of the memory of all buffers.");
        _meter.CreateObservableUpDownCounter("lintel.memory.used", () => ByUse(memory.UsedBy), "By", "Memory held by buffers, by use.");
        _meter.CreateObservableCounter(
            "lintel.memory.refused",
            () => ByUse(memory.RefusedBy),
            "{refusal}",
            "Number of times that memory was refused because the limit was reached, by use."
        );
    }

    /// <summary>Observes what policies keep between requests.</summary>
    internal void ObserveState(Func<int> entries, Func<long> evicted)
    {
        _meter.CreateObservableUpDownCounter("lintel.state.entries", entries, "{entry}", "Entries that policies keep, such as sessions.");
        _meter.CreateObservableCounter(
            "lintel.state.evictions",
            evicted,
            "{entry}",
            "Entries that were dropped before their end because the store was full."
        );
    }

    /// <summary>Observes the overload of the gateway itself.</summary>
    internal void ObserveOverload(Func<double> level, Func<IEnumerable<OverloadUse>> resources) =>
        OverloadUse.Observe(_meter, level, resources);

    /// <summary>A request was shed.</summary>
    internal void Shed(string resource, string priority) =>
        _shed.Add(
            1,
            new KeyValuePair<string, object?>("lintel.resource", resource),
            new KeyValuePair<string, object?>("lintel.priority", priority)
        );

    /// <summary>A policy has asked its identity provider.</summary>
    internal void ProviderAsked(string policy, bool isAnswered) => _providers.Asked(policy, isAnswered);

    /// <summary>Observes the age of an issuer's keys, until the result is disposed.</summary>
    internal IDisposable WatchKeys(string policy, string issuer, Func<TimeSpan?> age) => _providers.WatchKeys(policy, issuer, age);

    /// <summary>A callback has held an event loop for long.</summary>
    internal void LoopStalled() => Interlocked.Increment(ref _stalls);

    /// <summary>A client of a listener has broken HTTP/2 or HTTP/3.</summary>
    internal void ProtocolBroken(string listener) => Interlocked.Increment(ref Broken(listener).Value);

    /// <summary>A listener opens: its series begins at 0.</summary>
    internal void ListenerOpened(string listener) => Broken(listener);

    private StrongBox<long> Broken(string listener) => _broken.GetOrAdd(listener, static _ => new StrongBox<long>());

    private IEnumerable<Measurement<long>> ObserveBroken() =>
        _broken.Select(b => new Measurement<long>(
            Interlocked.Read(ref b.Value.Value),
            new KeyValuePair<string, object?>("lintel.listener", b.Key)
        ));

    /// <summary>A request begins.</summary>
    /// <returns>The argument of <see cref="RequestCompleted"/> at the end of the request.</returns>
    internal int RequestStarted(string method, string scheme) => _active.Enter(method, scheme);

    /// <summary>How many requests are in flight.</summary>
    internal long RequestsInFlight => _active.Total();

    /// <summary>A request is no longer in flight.</summary>
    internal void RequestCompleted(int place) => _active.Exit(place);

    /// <summary>Called while the request's span is current, so that exemplars find it.</summary>
    /// <param name="request">How it ended.</param>
    /// <param name="total">How long it took.</param>
    /// <param name="upstream">How long of that its attempts.</param>
    /// <param name="memo">The memo of the route; <see langword="null"/> if there is no route.</param>
    internal void RequestEnded(in RequestOutcome request, TimeSpan total, TimeSpan upstream, LabelMemo<RequestOutcome>? memo = null)
    {
        if (_server.Enabled)
            _server.Record(total.TotalSeconds, memo is null ? LabelsOf(request) : memo.Get(request, request.Status, LabelsOf));
        if (_gateway.Enabled)
        {
            var added = Math.Max(0, (total - upstream).TotalSeconds);
            if (request.Route is { } route)
                _gateway.Record(
                    added,
                    new KeyValuePair<string, object?>("http.route", route),
                    new KeyValuePair<string, object?>("lintel.route", request.RouteName)
                );
            else
                _gateway.Record(added);
        }

        if (request.Error is { } error)
            CountError(error, request);
    }

    /// <summary>An attempt ended.</summary>
    /// <param name="attempt">How.</param>
    /// <param name="duration">How long it took.</param>
    /// <param name="memo">The instance's.</param>
    internal void AttemptEnded(in AttemptOutcome attempt, TimeSpan duration, LabelMemo<AttemptOutcome>? memo = null)
    {
        if (_client.Enabled)
            _client.Record(duration.TotalSeconds, memo is null ? LabelsOf(attempt) : memo.Get(attempt, attempt.Status ?? 0, LabelsOf));
    }

    internal void ConnectEnded(string service, string address, int port, string? error, TimeSpan duration)
    {
        var tags = new TagList
        {
            { "lintel.service", service },
            { "server.address", address },
            { "server.port", port },
        };
        if (error is not null)
            tags.Add("error.type", error);
        _connect.Record(duration.TotalSeconds, tags);
    }

    internal void Reloaded(bool succeeded, DateTimeOffset now)
    {
        if (succeeded)
            Volatile.Write(ref _appliedAt, now.ToUnixTimeMilliseconds() / 1000.0);
        Volatile.Write(ref _lastReload, succeeded ? 1 : 0);
        _reloads.Add(1, new KeyValuePair<string, object?>("result", succeeded ? "applied" : "refused"));
    }

    internal void Fallback(bool isServed) => _fallback.Record(isServed ? 1 : 0);

    /// <summary>An instance is left out because it failed too often.</summary>
    internal void Ejected(string service, string host, int port) =>
        _ejections.Add(
            1,
            new KeyValuePair<string, object?>("lintel.service", service),
            new KeyValuePair<string, object?>("server.address", host),
            new KeyValuePair<string, object?>("server.port", port)
        );

    /// <summary>An attempt follows a failed one.</summary>
    internal void Retried(string service, string reason) => Count(_retries, service, reason);

    /// <summary>A slow request was sent to another instance, too.</summary>
    internal void Hedged(string service) => _hedges.Add(1, new KeyValuePair<string, object?>("lintel.service", service));

    /// <summary>A request was refused in place of a service.</summary>
    internal void Refused(string service, string reason) => Count(_refusals, service, reason);

    /// <summary>A circuit breaker has opened.</summary>
    internal void BreakerOpened(string service) => _breakerOpenings.Add(1, new KeyValuePair<string, object?>("lintel.service", service));

    private static void Count(Counter<long> counter, string service, string reason) =>
        counter.Add(
            1,
            new KeyValuePair<string, object?>("lintel.service", service),
            new KeyValuePair<string, object?>("error.type", reason)
        );

    internal void Mirrored(string service, string result) =>
        _mirrors.Add(1, new KeyValuePair<string, object?>("lintel.service", service), new KeyValuePair<string, object?>("result", result));

    /// <summary>A policy has injected a fault.</summary>
    internal void FaultInjected(string route, string kind) =>
        _faults.Add(1, new KeyValuePair<string, object?>("lintel.route", route), new KeyValuePair<string, object?>("kind", kind));

    /// <summary>A session has begun, has been refreshed or has ended, or an attempt at it has failed.</summary>
    internal void SessionChanged(string policy, string what) =>
        _sessions.Add(1, new KeyValuePair<string, object?>("lintel.policy", policy), new KeyValuePair<string, object?>("event", what));

    /// <summary>
    /// Gauges of the instances in use. They are observed at each collection, so that removed instances disappear with the next one.
    /// </summary>
    internal void Observe(Func<IEnumerable<InstanceUse>> instances, Func<IEnumerable<ServiceUse>> services)
    {
        ServiceUse.Observe(_meter, services);
        InstanceUse.Observe(_meter, instances);
    }

    /// <summary>Observes the discovery of instances.</summary>
    internal void ObserveDiscovery(Func<IEnumerable<DiscoveryUse>> services) => DiscoveryUse.Observe(_meter, services);

    /// <summary>Methods are the client's choice: unknown ones share a label, so that label sets stay bounded.</summary>
    internal static string KnownMethod(string method) =>
        method is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS" or "CONNECT" or "TRACE" or "QUERY"
            ? method
            : OtherMethod;

    /// <summary>An <c>error.type</c> that is a status.</summary>
    internal static string StatusText(int status) =>
        status switch
        {
            404 => "404",
            500 => "500",
            502 => "502",
            503 => "503",
            504 => "504",
            _ => status.ToString(CultureInfo.InvariantCulture),
        };

    internal static string SourceText(ErrorSource source) =>
        source switch
        {
            ErrorSource.Client => "client",
            ErrorSource.Gateway => "gateway",
            _ => "upstream",
        };

    private static IEnumerable<Measurement<long>> ByUse(Func<BufferUse, long> read) =>
        Enum.GetValues<BufferUse>().Select(use => new Measurement<long>(read(use), new KeyValuePair<string, object?>("use", UseText(use))));

    private static string UseText(BufferUse use) =>
        use switch
        {
            BufferUse.RequestBody => "request-body",
            BufferUse.Answer => "answer",
            BufferUse.Output => "output",
            BufferUse.Mirror => "mirror",
            _ => "store",
        };

    private static KeyValuePair<string, object?>[] LabelsOf(RequestOutcome request)
    {
        List<KeyValuePair<string, object?>> labels =
        [
            new("http.request.method", KnownMethod(request.Method)),
            new("http.response.status_code", request.Status),
            new("url.scheme", request.Scheme),
            new("network.protocol.version", request.ProtocolVersion),
        ];
        if (request.Route is { } route)
            labels.Add(new("http.route", route));
        if (request.RouteName is { } name)
            labels.Add(new("lintel.route", name));
        if (request.Error is { } rule)
            labels.Add(new("error.type", rule.Slug));
        else if (request.Status >= 500)
            labels.Add(new("error.type", StatusText(request.Status)));
        return [.. labels];
    }

    private static KeyValuePair<string, object?>[] LabelsOf(AttemptOutcome attempt)
    {
        List<KeyValuePair<string, object?>> labels =
        [
            new("http.request.method", KnownMethod(attempt.Method)),
            new("server.address", attempt.Address),
            new("server.port", attempt.Port),
            new("lintel.service", attempt.Service),
        ];
        if (attempt.Status is { } code)
            labels.Add(new("http.response.status_code", code));
        if (attempt.Error is { } error)
            labels.Add(new("error.type", error));
        else if (attempt.Status >= 400)
            labels.Add(new("error.type", StatusText(attempt.Status.Value)));
        return [.. labels];
    }

    private void CountError(ErrorRule error, in RequestOutcome request)
    {
        var tags = new TagList { { "error.type", error.Slug }, { "lintel.error.source", SourceText(error.Source) } };
        if (request.RouteName is { } route)
            tags.Add("lintel.route", route);
        if (request.Service is { } service)
            tags.Add("lintel.service", service);
        _errors.Add(1, tags);
    }

    private IEnumerable<Measurement<double>> ObserveApplied() =>
        Volatile.Read(ref _appliedAt) is > 0 and var at ? [new Measurement<double>(at)] : [];

    private IEnumerable<Measurement<int>> ObserveLastReload() =>
        Volatile.Read(ref _lastReload) is >= 0 and var last ? [new Measurement<int>(last)] : [];
}

/// <summary>How a request ended.</summary>
internal readonly record struct RequestOutcome(
    string Method,
    string Scheme,
    string ProtocolVersion,
    int Status,
    string? Route,
    string? Service,
    ErrorRule? Error
)
{
    /// <summary>The name of the route in the configuration.</summary>
    public string? RouteName { get; init; }
}

/// <summary>The result of an attempt. The status is that of the instance; <see langword="null"/> if there was no response.</summary>
internal readonly record struct AttemptOutcome(string Method, string Service, string Address, int Port, int? Status, string? Error);
