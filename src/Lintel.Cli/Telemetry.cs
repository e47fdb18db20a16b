using System.Diagnostics.Metrics;
using System.Net.Sockets;
using Lintel.Cli.Logging;
using Lintel.Config;
using Lintel.Hosting;
using Lintel.Observability;
using Lintel.Services.Connections;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Lintel.Cli;

/// <summary>
/// OpenTelemetry's SDK: carries the gateway's metrics and spans to where the configuration says, and follows its changes.
/// </summary>
/// <remarks>Prometheus' reader and the one that pushes are apart: a change of the receiver must not set the scraped counters back to zero.
/// Thread rule: <see cref="FollowAsync"/> is called by one reload at a time.</remarks>
internal sealed class Telemetry : IHostedService, IAsyncDisposable
{
    private const string KestrelMeter = "Microsoft.AspNetCore.Server.Kestrel";

    /// <summary>
    /// Labels of Kestrel's instruments that a client cannot choose. Its <c>server.address</c> is the address that was connected to: of a
    /// whole network where the machine answers for one.
    /// </summary>
    private static readonly string[] KestrelLabels =
    [
        "server.port",
        "network.transport",
        "network.protocol.name",
        "network.protocol.version",
        "tls.protocol.version",
        "error.type",
    ];

    /// <summary>
    /// Series of one instrument; the SDK's own limit of 2000 is little for routes × statuses × methods. What is beyond is one series more,
    /// labelled <c>otel.metric.overflow</c>.
    /// </summary>
    private const int SeriesPerRouteMetric = 10_000;

    /// <summary>Spans that wait for the receiver: the SDK's default. What is beyond is dropped; requests never wait.</summary>
    private const int SpanQueue = 2048;

    /// <summary>How long one export may take, and how long the last one holds up the process's end.</summary>
    private static readonly TimeSpan ExportTimeout = TimeSpan.FromSeconds(5);

    private readonly Gateway _gateway;
    private readonly IServiceProvider _services;
    private readonly NameResolver _names;
    private readonly ProcessMetrics _process;
    private readonly TelemetryFailures _failures;
    private readonly string _instanceId = Guid.NewGuid().ToString();
    private MeterProvider? _scraped;
    private volatile RequestDelegate? _scrape;
    private (OtlpConfig? To, string? Name) _pushing;
    private MeterProvider? _pushed;
    private (OtlpConfig? To, string? Name) _tracing;
    private TracerProvider? _traces;

    public Telemetry(Gateway gateway, IServiceProvider services, TimeProvider time, ILogger<Telemetry> logger)
    {
        _gateway = gateway;
        _services = services;
        _names = services.GetRequiredService<NameResolver>();
        _process = new ProcessMetrics(services.GetRequiredService<ErrorLogProvider>());
        _failures = new TelemetryFailures(time, logger);
    }

    /// <summary>Begins to follow the configuration; before the gateway has its first one, so that nothing of it is missed.</summary>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _gateway.Applied += FollowAsync;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _gateway.Applied -= FollowAsync;
        return Task.CompletedTask;
    }

    /// <summary>
    /// Puts <c>/metrics</c> into the admin address's pipeline. That one is built before a configuration goes live and outlives many: what
    /// answers is looked up at each scrape.
    /// </summary>
    public void MapMetrics(IApplicationBuilder application) =>
        application.Use(next => context => context.Request.Path == "/metrics" && _scrape is { } scrape ? scrape(context) : next(context));

    /// <summary>Sends what is left. A receiver that does not answer holds this up for <see cref="ExportTimeout"/> at most.</summary>
    public async ValueTask DisposeAsync()
    {
        var last = Task.WhenAll(Retire(_traces), Retire(_pushed), Retire(_scraped));
        await Task.WhenAny(last, Task.Delay(ExportTimeout)).ConfigureAwait(false);
        _failures.Dispose();
        _process.Dispose();
    }

    private Task FollowAsync(GatewayConfig config)
    {
        var observability = config.Observability;
        if (observability.Metrics.Prometheus && _scraped is null)
        {
            _scraped = Meters(config).AddPrometheusExporter().Build();
            _scrape = BuildScrape(_scraped);
        }
        else if (!observability.Metrics.Prometheus && _scraped is not null)
        {
            _scrape = null;
            _ = Retire(_scraped);
            _scraped = null;
        }

        if (_pushing != (observability.Metrics.Otlp, config.Name))
        {
            _pushing = (observability.Metrics.Otlp, config.Name);
            _ = Retire(_pushed);
            _pushed = _pushing.To is { } to ? BuildPush(config, to) : null;
        }

        if (_tracing != (observability.Tracing?.Otlp, config.Name))
        {
            _tracing = (observability.Tracing?.Otlp, config.Name);
            _ = Retire(_traces);
            _traces = _tracing.To is { } to ? BuildTraces(config, to) : null;
        }

        return Task.CompletedTask;
    }

    private RequestDelegate BuildScrape(MeterProvider provider)
    {
        var pipeline = new ApplicationBuilder(_services);
        pipeline.UseOpenTelemetryPrometheusScrapingEndpoint(provider, null, "/metrics", null, null);
        return pipeline.Build();
    }

    /// <summary>Off the reload's path: the last export of a provider may wait for a receiver that is gone.</summary>
    private static Task Retire(IDisposable? provider) => provider is null ? Task.CompletedTask : Task.Run(provider.Dispose);

    private MeterProviderBuilder Meters(GatewayConfig config)
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        return Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(Resource(config))
            .AddMeter(GatewayTelemetry.MeterName, ProcessMetrics.MeterName, KestrelMeter, "System.Runtime")
            .SetExemplarFilter(ExemplarFilterType.TraceBased)
            .AddView(instrument =>
                instrument.Meter.Name switch
                {
                    KestrelMeter => new MetricStreamConfiguration { TagKeys = KestrelLabels },
                    // Another gateway's of the same process: its own telemetry has them.
                    GatewayTelemetry.MeterName when instrument.Meter.Scope != meters => MetricStreamConfiguration.Drop,
                    GatewayTelemetry.MeterName when instrument.Name is "http.server.request.duration" or "lintel.gateway.duration" =>
                        new MetricStreamConfiguration { CardinalityLimit = SeriesPerRouteMetric },
                    _ => null,
                }
            );
    }

    private MeterProvider BuildPush(GatewayConfig config, OtlpConfig to) =>
        Meters(config)
            .AddOtlpExporter(
                (exporter, reader) =>
                {
                    Send(exporter, to, "metrics");
                    reader.PeriodicExportingMetricReaderOptions = new PeriodicExportingMetricReaderOptions
                    {
                        ExportIntervalMilliseconds = (int)(to.Every ?? TimeSpan.FromSeconds(15)).TotalMilliseconds,
                        ExportTimeoutMilliseconds = (int)ExportTimeout.TotalMilliseconds,
                    };
                }
            )
            .Build();

    private TracerProvider BuildTraces(GatewayConfig config, OtlpConfig to) =>
        Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(Resource(config))
            .AddSource(GatewayTelemetry.ActivitySourceName)
            .SetSampler(new AlwaysOnSampler()) // the gateway has decided already: what is not recorded never becomes a span
            .AddOtlpExporter(exporter =>
            {
                Send(exporter, to, "traces");
                exporter.BatchExportProcessorOptions = new BatchExportActivityProcessorOptions
                {
                    MaxQueueSize = SpanQueue,
                    ScheduledDelayMilliseconds = (int)(to.Every ?? TimeSpan.FromSeconds(5)).TotalMilliseconds,
                    ExporterTimeoutMilliseconds = (int)ExportTimeout.TotalMilliseconds,
                };
            })
            .Build();

    private void Send(OtlpExporterOptions exporter, OtlpConfig to, string signal)
    {
        exporter.Protocol = to.Protocol == OtlpProtocol.Grpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint =
            to.Protocol == OtlpProtocol.Grpc ? to.Endpoint : new Uri(to.Endpoint.AbsoluteUri.TrimEnd('/') + "/v1/" + signal);
        exporter.TimeoutMilliseconds = (int)ExportTimeout.TotalMilliseconds;

        // Names are looked up where those of services are: .NET's own look-ups hold threads that requests need. Headers not by the
        // exporter's own: it takes no value with a comma.
        exporter.HttpClientFactory = () =>
        {
            var client = new HttpClient(new SocketsHttpHandler { ConnectCallback = ConnectAsync }) { Timeout = ExportTimeout };
            foreach (var (name, value) in to.Headers)
                client.DefaultRequestHeaders.TryAddWithoutValidation(name, value);
            return client;
        };
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var addresses = await _names.ResolveAsync(context.DnsEndPoint.Host, cancellation).ConfigureAwait(false);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Who is telling. <c>OTEL_RESOURCE_ATTRIBUTES</c> adds to it.</summary>
    private ResourceBuilder Resource(GatewayConfig config) =>
        ResourceBuilder
            .CreateDefault()
            .AddService(
                config.Name ?? "lintel",
                serviceVersion: typeof(Gateway).Assembly.GetName().Version?.ToString(3),
                serviceInstanceId: _instanceId
            );
}
