using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Lintel.Observability;

/// <summary>The gateway's instruments, under OpenTelemetry's semantic names for HTTP.</summary>
public sealed class GatewayMetrics
{
    /// <summary>The meter's name, for exporters.</summary>
    public const string MeterName = "Lintel";

    // https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ (advised boundaries, in seconds)
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    private readonly Histogram<double> _server;
    private readonly Histogram<double> _client;
    private readonly UpDownCounter<long> _active;
    private readonly Counter<long> _reloads;
    private readonly Counter<long> _mirrors;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">The host's meter factory.</param>
    public GatewayMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(MeterName);
        _server = meter.CreateHistogram("http.server.request.duration", "s", "Duration of requests that clients made to the gateway.", null, Seconds);
        _client = meter.CreateHistogram("http.client.request.duration", "s", "Duration of attempts that the gateway made to instances.", null, Seconds);
        _active = meter.CreateUpDownCounter<long>("http.server.active_requests", "{request}", "Requests in flight.");
        _reloads = meter.CreateCounter<long>("lintel.config.reloads", "{reload}", "Changes of the configuration, by result.");
        _mirrors = meter.CreateCounter<long>("lintel.mirror.requests", "{request}", "Copies sent to mirror services, by result.");
    }

    internal void RequestStarted() => _active.Add(1);

    internal void RequestEnded(string method, string scheme, string protocolVersion, int status, string? route, string? error, TimeSpan duration)
    {
        _active.Add(-1);
        if (!_server.Enabled)
            return;
        var tags = new TagList
        {
            { "http.request.method", KnownMethod(method) },
            { "http.response.status_code", status },
            { "url.scheme", scheme },
            { "network.protocol.version", protocolVersion },
        };
        if (route is not null)
            tags.Add("http.route", route);
        if (error is not null)
            tags.Add("error.type", error);
        _server.Record(duration.TotalSeconds, tags);
    }

    internal void AttemptEnded(string method, string service, string address, int port, int? status, string? error, TimeSpan duration)
    {
        if (!_client.Enabled)
            return;
        var tags = new TagList
        {
            { "http.request.method", KnownMethod(method) },
            { "server.address", address },
            { "server.port", port },
            { "lintel.service", service },
        };
        if (status is { } code)
            tags.Add("http.response.status_code", code);
        if (error is not null)
            tags.Add("error.type", error);
        _client.Record(duration.TotalSeconds, tags);
    }

    internal void Reloaded(bool succeeded) => _reloads.Add(1, new KeyValuePair<string, object?>("result", succeeded ? "applied" : "refused"));

    internal void Mirrored(string service, string result) =>
        _mirrors.Add(1, new KeyValuePair<string, object?>("lintel.service", service), new KeyValuePair<string, object?>("result", result));

    /// <summary>Methods are the client's choice: unknown ones share a label, so that label sets stay bounded.</summary>
    private static string KnownMethod(string method) =>
        method is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS" or "CONNECT" or "TRACE" or "QUERY" ? method : "_OTHER";
}
