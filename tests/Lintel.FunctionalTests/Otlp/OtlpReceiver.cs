using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests.Otlp;

/// <summary>Receives metrics and spans by OTLP, over gRPC on one port and over HTTP on another.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _application;

    private OtlpReceiver(WebApplication application) => _application = application;

    public ConcurrentQueue<Span> Spans { get; } = new();

    /// <summary>Every collection that arrived, newest last.</summary>
    public ConcurrentQueue<List<Metric>> Collections { get; } = new();

    /// <summary>Attributes of the last sender.</summary>
    public Dictionary<string, object?> Resource { get; private set; } = [];

    /// <summary>The header <c>X-Key</c> of each export.</summary>
    public ConcurrentQueue<string> Keys { get; } = new();

    /// <summary>Content types of exports.</summary>
    public ConcurrentQueue<string> ContentTypes { get; } = new();

    public string GrpcAddress => _application.Urls.First();

    public string HttpAddress => _application.Urls.Last();

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .ConfigureKestrel(o =>
            {
                o.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2);
                o.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http1);
            });
        builder.Services.AddRoutingCore().AddGrpc();
        builder.Services.AddSingleton<OtlpReceiver>(s => s.GetRequiredService<Holder>().Receiver!).AddSingleton<Holder>();
        var application = builder.Build();
        var receiver = new OtlpReceiver(application);
        application.Services.GetRequiredService<Holder>().Receiver = receiver;
        application.Use(
            (context, next) =>
            {
                receiver.ContentTypes.Enqueue(context.Request.ContentType ?? "");
                receiver.Keys.Enqueue(context.Request.Headers["X-Key"].ToString());
                return next(context);
            }
        );
        application.MapGrpcService<Traces>();
        application.MapGrpcService<Metrics>();
        application.MapPost("/v1/traces", context => ReadAsync(context, TracesRequest.Parser, receiver.Take));
        application.MapPost("/v1/metrics", context => ReadAsync(context, MetricsRequest.Parser, receiver.Take));
        await application.StartAsync();
        return receiver;
    }

    /// <summary>The newest reading of a histogram.</summary>
    public IEnumerable<HistogramPoint> Histogram(string name) =>
        Collections.LastOrDefault()?.Where(m => m.Name == name && m.Histogram is not null).SelectMany(m => m.Histogram.DataPoints) ?? [];

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    private static async Task ReadAsync<T>(HttpContext context, MessageParser<T> parser, Action<T> take)
        where T : IMessage<T>
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        take(parser.ParseFrom(body.ToArray()));
        context.Response.ContentType = "application/x-protobuf";
    }

    private void Take(TracesRequest request)
    {
        foreach (var resource in request.ResourceSpans)
        {
            Resource = resource.Resource.Attributes.ToMap();
            foreach (var span in resource.ScopeSpans.SelectMany(s => s.Spans))
                Spans.Enqueue(span);
        }
    }

    private void Take(MetricsRequest request)
    {
        foreach (var resource in request.ResourceMetrics)
        {
            Resource = resource.Resource.Attributes.ToMap();
            Collections.Enqueue([.. resource.ScopeMetrics.SelectMany(s => s.Metrics)]);
        }
    }

    private sealed class Holder
    {
        public OtlpReceiver? Receiver { get; set; }
    }

    private sealed class Traces(OtlpReceiver receiver) : TraceService.TraceServiceBase
    {
        public override Task<TracesResponse> Export(TracesRequest request, ServerCallContext context)
        {
            receiver.Take(request);
            return Task.FromResult(new TracesResponse());
        }
    }

    private sealed class Metrics(OtlpReceiver receiver) : MetricsService.MetricsServiceBase
    {
        public override Task<MetricsResponse> Export(MetricsRequest request, ServerCallContext context)
        {
            receiver.Take(request);
            return Task.FromResult(new MetricsResponse());
        }
    }
}

/// <summary>Reads what arrived.</summary>
internal static class OtlpReading
{
    public static Dictionary<string, object?> ToMap(this IEnumerable<KeyValue> attributes) =>
        attributes.ToDictionary(
            a => a.Key,
            a =>
                a.Value.ValueCase switch
                {
                    AnyValue.ValueOneofCase.StringValue => a.Value.StringValue,
                    AnyValue.ValueOneofCase.IntValue => a.Value.IntValue,
                    AnyValue.ValueOneofCase.DoubleValue => a.Value.DoubleValue,
                    AnyValue.ValueOneofCase.BoolValue => (object)a.Value.BoolValue,
                    _ => null,
                }
        );

    public static string Hex(this ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
