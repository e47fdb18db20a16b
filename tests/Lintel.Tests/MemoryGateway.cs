using System.Text.Json.Nodes;
using Lintel.Composition;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Control.Status;
using Lintel.Forwarding;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Transport.Loop;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Tests;

/// <summary>
/// A gateway without a server: requests go through the whole pipeline, to services in memory, or over its own connections if loops
/// or no service are given.
/// </summary>
internal sealed class MemoryGateway : IDisposable
{
    private static readonly IHttpForwarder Yarp = new ServiceCollection()
        .AddLogging()
        .AddHttpForwarder()
        .BuildServiceProvider()
        .GetRequiredService<IHttpForwarder>();

    private readonly GatewayMetrics _metrics = TestMetrics.Create();
    private readonly ServiceRegistry _registry;
    private readonly RoutePipeline _pipeline;
    private readonly Snapshot _snapshot;
    private readonly GatewayConfig _config;

    /// <param name="yaml">The configuration.</param>
    /// <param name="services">Carry the requests to services; <see langword="null"/> for real connections.</param>
    /// <param name="time">The clock of everything.</param>
    /// <param name="loops">Carry HTTP/1.1 where there are real connections.</param>
    public MemoryGateway(string yaml, HttpMessageHandler? services = null, TimeProvider? time = null, LoopGroup? loops = null)
    {
        time ??= TimeProvider.System;
        Errors = new ErrorLog(time, NullLogger.Instance);
        Memory = new MemoryBudget(1 << 30);
        Store = new AnswerStore(Memory);
        var random = new Random(1);
        _registry = new ServiceRegistry(random, TestMetrics.Dependencies(_metrics, time, loops));
        var attempts = new AttemptParts(_metrics, Errors, time);
        var compositions = new CompositionParts(attempts, TestMetrics.CreateCompositions(), Store, new SharedRequests(), Memory);
        var forwarders = new Forwarders(new Http1Forwarder(time), new YarpForwarder(Yarp));
        var forwarding = new ForwardParts(forwarders, attempts, Memory);
        var compiler = new SnapshotCompiler(_registry, new RouteParts(forwarding, compositions, random));
        (_snapshot, _config) = Compile(compiler, yaml, services);
        var snapshots = new SnapshotHolder();
        snapshots.Swap(_snapshot);
        var account = new RequestAccount(new AccessLogSlot(time, NullLogger.Instance), Errors, _metrics, time);
        _pipeline = new RoutePipeline(snapshots, account, new Shedding(_metrics, random), time);
    }

    public ErrorLog Errors { get; }

    public MemoryBudget Memory { get; }

    public AnswerStore Store { get; }

    /// <summary>Requests to services that are under way.</summary>
    public int Busy => Services.Sum(s => s.Instances.All.Sum(i => i.Active));

    /// <summary>The slugs of the failures in the error log.</summary>
    public IEnumerable<string> Failures => Errors.Recent(ErrorStatus.Of).Select(e => e.Error);

    private IEnumerable<Service> Services => _config.Services.Select(s => _registry.Find(s.Key, s.Value, _config.Defaults.Timeouts)!);

    /// <summary>A gateway with one composing route for <c>/c/{id}</c>.</summary>
    /// <param name="compose">The content of <c>compose</c>.</param>
    /// <param name="services">The services, by the names <c>a</c>, <c>b</c>, ….</param>
    public static MemoryGateway Compose(string compose, params MemoryService[] services) =>
        Compose(compose, new MemoryNet(services), TimeProvider.System, [.. services.Select(s => s.Address)]);

    /// <summary>The same with a clock that the test sets.</summary>
    public static MemoryGateway Compose(string compose, TimeProvider time, params MemoryService[] services) =>
        Compose(compose, new MemoryNet(services), time, [.. services.Select(s => s.Address)]);

    /// <summary>A gateway on a configuration whose services are these.</summary>
    public static MemoryGateway Start(string yaml, params MemoryService[] services) => new(yaml, new MemoryNet(services));

    public static MemoryGateway Compose(string compose, HttpMessageHandler services, TimeProvider time, params string[] addresses)
    {
        var names = string.Join("\n", addresses.Select((a, i) => $"  {(char)('a' + i)}: \"{a}\""));
        var indented = string.Join("\n", compose.Split('\n').Select(l => "      " + l.TrimEnd('\r')));
        return new MemoryGateway($"services:\n{names}\nroutes:\n  c:\n    match: \"/c/{{id}}\"\n    compose:\n{indented}", services, time);
    }

    public Task<MemoryAnswer> GetAsync(string target = "/c/7", params (string Name, string Value)[] headers) =>
        SendAsync("GET", target, null, headers);

    public Task<MemoryAnswer> SendAsync(string method, string target, string? body, params (string Name, string Value)[] headers)
    {
        var context = TestRequest.Create(method, target, headers: headers);
        if (body is not null)
            context.Request.Body = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(body));
        return SendAsync(context);
    }

    /// <summary>Sends a request whose client disconnects when the token is canceled.</summary>
    public Task<MemoryAnswer> GetAsync(string target, CancellationToken client)
    {
        var context = TestRequest.Create("GET", target);
        context.RequestAborted = client;
        return SendAsync(context);
    }

    /// <summary>Sends a request that ends like a client's: after a minute at the latest.</summary>
    public async Task<MemoryAnswer> SendAsync(HttpContext context)
    {
        var body = new MemoryStream();
        context.Response.Body = body;
        context.Features.Set<IHttpRequestBodyDetectionFeature>(new BodyDetection(context.Request.Body != Stream.Null));
        await _pipeline.RunAsync(context.AsClient(), default).WaitAsync(TimeSpan.FromMinutes(1));
        await context.Response.CompleteAsync(); // as a server does at the end
        return new MemoryAnswer(context.Response, System.Text.Encoding.UTF8.GetString(body.ToArray()));
    }

    public void Dispose()
    {
        _snapshot.Retire();
        _registry.Dispose();
        Store.Dispose();
        Errors.Dispose();
    }

    private sealed class BodyDetection(bool canHaveBody) : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => canHaveBody;
    }

    private static (Snapshot, GatewayConfig) Compile(SnapshotCompiler compiler, string yaml, HttpMessageHandler? services)
    {
        var document = ConfigDocument.Parse("test.yaml", yaml, GatewayReader.TestEnvironment);
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config);
        if (services is not null)
            config = config with
            {
                Services = new(config.Services.Select(s => KeyValuePair.Create(s.Key, s.Value with { Handler = () => services }))),
            };
        var snapshot = compiler.Compile(config, document.Root, document.Report);
        Assert.Empty(document.Report.Problems);
        return (snapshot!, config);
    }
}

/// <summary>The answer that a client of the in-memory gateway receives.</summary>
internal sealed record MemoryAnswer(HttpResponse Response, string Body)
{
    public int Status => Response.StatusCode;

    public string? Composition => this["Composition"];

    public JsonNode Json => JsonNode.Parse(Body)!;

    public string? this[string name] => Response.Headers.TryGetValue(name, out var value) ? value.ToString() : null;

    /// <summary>The <c>Composition</c> field's entry for a call.</summary>
    public string Of(string call) =>
        Assert.Single((Composition ?? "").Split(", "), m => m == call || m.StartsWith(call + ";", StringComparison.Ordinal));
}
