using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.FunctionalTests;

/// <summary>Instances that come and go, over real sockets and by real sources.</summary>
[EveryTransport]
public sealed class DiscoveryTests
{
    private static readonly Uri Path = new("/a", UriKind.Relative);

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task DnsRecords_ThatChangeUnderLoad_LoseNoRequest(string protocol)
    {
        await using var instances = await Instances.StartAsync(3, protocol == "http2");
        await using var dns = await DnsServer.StartAsync(instances.Hosts[0], instances.Hosts[1]);
        await using var gateway = await StartAsync(
            $"dns: \"orders.test:{instances.Port}\", server: \"{dns.Address}\", refresh: 100ms",
            $"protocol: {protocol}"
        );
        await SeesAsync(gateway, instances, 0, 1);
        using var held = new SemaphoreSlim(0);
        instances.Held = held;
        var leaving = gateway.Client.GetAsync(new Uri("/held", UriKind.Relative)); // in flight on an instance that leaves
        await Until.TrueAsync(() => instances.HeldBy is not null);
        var on = instances.HeldBy!.Value;

        var statuses = new ConcurrentDictionary<HttpStatusCode, int>();
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 6).Select(_ => LoadAsync(gateway, statuses, over.Token)).ToList();
        foreach (var set in new int[][] { [2], [0, 1, 2], [1 - on], [1 - on, 2], [2] })
        {
            await dns.SetAsync([.. set.Select(i => instances.Hosts[i])]);
            await SeesAsync(gateway, instances, set);
            var served = statuses.Values.Sum();
            await Until.TrueAsync(() => statuses.Values.Sum() >= served + 50);
        }

        var seen = instances.Seen(0) + instances.Seen(1);
        var more = statuses.Values.Sum();
        await Until.TrueAsync(() => statuses.Values.Sum() >= more + 100);
        await over.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal([HttpStatusCode.OK], statuses.Keys);
        Assert.Equal(seen, instances.Seen(0) + instances.Seen(1)); // nothing new goes to those that left
        Assert.False(leaving.IsCompleted);
        held.Release();
        Assert.Equal(HttpStatusCode.OK, (await leaving).StatusCode);
        await Until.TrueAsync(() => Status(gateway).Instances.Count == 1);
    }

    [Fact]
    [AnyTransport]
    public async Task DnsServer_ThatDiesOrLosesTheName_LeavesTheInstancesInPlace()
    {
        await using var instances = await Instances.StartAsync(2);
        await using var dns = await DnsServer.StartAsync(instances.Hosts[0]);
        await using var gateway = await StartAsync($"dns: \"orders.test:{instances.Port}\", server: \"{dns.Address}\", refresh: 100ms");
        await SeesAsync(gateway, instances, 0);
        await dns.SetAsync();
        await Until.TrueAsync(() => Status(gateway).Discovery!.Error == "the answer has no instances");
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
        await dns.StopAsync();
        await Until.TrueAsync(() => Status(gateway).Discovery!.Error is { } e && e.Contains("DNS", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
        await gateway.ReloadAsync("refresh: 100ms", "refresh: 200ms"); // while there is no answer
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
    }

    [Fact]
    public async Task SrvRecords_GivePortsAndWeights_AndChange()
    {
        await using var instances = await Instances.StartAsync(2);
        await using var dns = await DnsServer.StartAsync([.. instances.Hosts]);
        await dns.RestartAsync(string.Create(CultureInfo.InvariantCulture, $"instance-0.orders.test,{instances.Port},0,7"));
        await using var gateway = await StartAsync($"dnsSrv: _http._tcp.orders.test, server: \"{dns.Address}\", refresh: 100ms");
        await SeesAsync(gateway, instances, 0);
        Assert.Equal(7, Status(gateway).Instances[0].Weight);
        await dns.RestartAsync(string.Create(CultureInfo.InvariantCulture, $"instance-1.orders.test,{instances.Port},0,3"));
        await SeesAsync(gateway, instances, 1);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
        Assert.Equal(1, instances.Seen(1));
    }

    [Fact]
    [AnyTransport]
    public async Task Gateway_WithoutAnswer_IsNotReadyAndAnswers503_UntilThereIsOne()
    {
        await using var instances = await Instances.StartAsync(1);
        await using var consul = await ConsulServer.StartAsync();
        consul.Status = 500;
        await using var gateway = await StartAsync($"consul: orders, address: \"{consul.Address}\"");
        Assert.Equal(["waiting for the instances of `orders`"], gateway.Gateway.NotReadyReasons);
        var none = await gateway.Client.GetAsync(Path);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, none.StatusCode);
        Assert.Contains("no-instance", await none.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        consul.Status = 200;
        consul.Set((instances.Hosts[0], instances.Port));
        await Until.TrueAsync(() => gateway.Gateway.IsReady);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
    }

    [Fact]
    public async Task Consul_ThatChangesFailsAndRestarts_IsFollowed_AndNoRequestIsLost()
    {
        await using var instances = await Instances.StartAsync(3);
        (string, int) At(int i) => (instances.Hosts[i], instances.Port);
        await using var consul = await ConsulServer.StartAsync();
        consul.Set(At(0), At(1));
        await using var gateway = await StartAsync($"consul: orders, address: \"{consul.Address}\"");
        await SeesAsync(gateway, instances, 0, 1);
        var statuses = new ConcurrentDictionary<HttpStatusCode, int>();
        using var over = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 4).Select(_ => LoadAsync(gateway, statuses, over.Token)).ToList();
        consul.Set(At(1), At(2));
        await SeesAsync(gateway, instances, 1, 2);
        consul.Say("[{\"Service\":", 99);
        await Until.TrueAsync(() => Status(gateway).Discovery!.Error == "Consul's answer is not the JSON that is expected");
        consul.Restart(At(0));
        await SeesAsync(gateway, instances, 0);
        consul.Status = 500;
        consul.Set();
        await Until.TrueAsync(() => Status(gateway).Discovery!.Error == "Consul answers with status 500");
        consul.Status = 200;
        consul.Set(At(2));
        await SeesAsync(gateway, instances, 2);
        await over.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal([HttpStatusCode.OK], statuses.Keys);
    }

    [Fact]
    [AnyTransport]
    public async Task Reload_ToOtherInstances_WaitsForThem_AndNoRequestIsLost()
    {
        await using var instances = await Instances.StartAsync(2);
        await using var consul = await ConsulServer.StartAsync();
        consul.Set((instances.Hosts[1], instances.Port));
        const string Yaml = "services: { orders: { DISCOVER } }\nroutes: { all: { match: \"/{**rest}\", forward: orders } }";
        var configured = $"instances: [\"http://{instances.Hosts[0]}:{instances.Port}\"]";
        await using var gateway = await InProcessGateway.StartAsync(Yaml.Replace("DISCOVER", configured, StringComparison.Ordinal));
        var statuses = new ConcurrentDictionary<HttpStatusCode, int>();
        using var over = new CancellationTokenSource();
        var client = LoadAsync(gateway, statuses, over.Token);
        await gateway.ReloadAsync(configured, $"discover: {{ consul: orders, address: \"{consul.Address}\" }}");
        await SeesAsync(gateway, instances, 1);
        await Until.TrueAsync(() => consul.Queries == 2); // the second one waits for changes
        await gateway.ReloadAsync("discover:", "panic: 10%, health: { passive: {} }, discover:"); // another service, the same discovery
        await SeesAsync(gateway, instances, 1);
        Assert.Equal(2, consul.Queries);
        Assert.True(gateway.Gateway.IsReady);
        await over.CancelAsync();
        await client;
        Assert.Equal([HttpStatusCode.OK], statuses.Keys);
    }

    [Fact]
    [AnyTransport]
    public async Task File_BesideTheConfiguration_IsFollowed()
    {
        await using var instances = await Instances.StartAsync(2);
        string List(int i) => $"- http://{instances.Hosts[i]}:{instances.Port}\n";
        await using var gateway = await InProcessGateway.StartAsync(
            "services: { orders: { discover: { file: pools/orders.yaml } } }\nroutes: { all: { match: \"/{**rest}\", forward: orders } }",
            new Dictionary<string, string> { ["pools/orders.yaml"] = List(0) }
        );
        await SeesAsync(gateway, instances, 0);
        var file = gateway.Folder["pools/orders.yaml"];
        gateway.Folder.Write("pools/orders.new", List(1));
        File.Move(gateway.Folder["pools/orders.new"], file, overwrite: true);
        await SeesAsync(gateway, instances, 1);
        await File.WriteAllTextAsync(file, List(0) + "- http:/");
        await Until.TrueAsync(() => Status(gateway).Discovery!.Error is not null);
        await SeesAsync(gateway, instances, 1);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);
    }

    [Fact]
    [AnyTransport]
    public async Task Host_WithServiceDiscovery_GivesTheInstances_AndWithoutItIsRefused()
    {
        await using var instances = await Instances.StartAsync(1);
        const string Yaml =
            "services: { orders: { discover: { host: orders } } }\nroutes: { all: { match: \"/{**rest}\", forward: orders } }";
        await using var gateway = await InProcessGateway.StartInApplicationAsync(
            Yaml,
            application => application.MapLintel(),
            services =>
                services
                    .AddSingleton<IConfiguration>(
                        new ConfigurationBuilder()
                            .AddInMemoryCollection([new("Services:orders:http:0", $"{instances.Hosts[0]}:{instances.Port}")])
                            .Build()
                    )
                    .AddServiceDiscovery()
        );
        await SeesAsync(gateway, instances, 0);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(Path)).StatusCode);

        var refused = await Assert.ThrowsAsync<Lintel.Config.ConfigException>(() => InProcessGateway.StartAsync(Yaml));
        Assert.Contains("not-available at services.orders.discover.host", refused.Message, StringComparison.Ordinal);
    }

    private static Task<InProcessGateway> StartAsync(string discover, string more = "protocol: http1") =>
        InProcessGateway.StartAsync(
            $$"""
            services: { orders: { discover: { {{discover}} }, {{more}} } }
            routes: { all: { match: "/{**rest}", forward: orders } }
            """
        );

    private static ServiceStatus Status(InProcessGateway gateway) => gateway.Gateway.FindService("orders")!;

    private static Task SeesAsync(InProcessGateway gateway, Instances instances, params int[] expected) =>
        Until.TrueAsync(() =>
            Status(gateway)
                .Instances.Select(i => i.Address)
                .SequenceEqual(expected.Order().Select(i => $"http://{instances.Hosts[i]}:{instances.Port}"))
        );

    private static async Task LoadAsync(
        InProcessGateway gateway,
        ConcurrentDictionary<HttpStatusCode, int> statuses,
        CancellationToken over
    )
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                using var response = await gateway.Client.PostAsync(Path, new StringContent("x"), CancellationToken.None); // not sent twice by itself
                statuses.AddOrUpdate(response.StatusCode, 1, static (_, n) => n + 1);
            }
            catch (HttpRequestException e)
            {
                throw new InvalidOperationException(string.Join('\n', gateway.Log), e);
            }
        }
    }

    /// <summary>Processes of a service: one port, on different addresses of this machine.</summary>
    private sealed class Instances : IAsyncDisposable
    {
        private readonly List<TestService> _services = [];
        private readonly int[] _seen = new int[8];
        private int _heldBy = -1;

        public List<string> Hosts { get; } = [];

        public int Port { get; private set; }

        /// <summary>What requests for <c>/held</c> wait for.</summary>
        public SemaphoreSlim? Held { get; set; }

        public int? HeldBy => Volatile.Read(ref _heldBy) is >= 0 and var by ? by : null;

        public static async Task<Instances> StartAsync(int count, bool isHttp2 = false)
        {
            var instances = new Instances();
            for (var i = 0; i < count; i++)
            {
                var place = i;
                var host = $"127.0.0.{i + 1}";
                var service = await TestService.StartAsync(
                    context => instances.AnswerAsync(place, context),
                    l => l.Protocols = isHttp2 ? HttpProtocols.Http2 : HttpProtocols.Http1,
                    address: new IPEndPoint(IPAddress.Parse(host), instances.Port)
                );
                instances._services.Add(service);
                instances.Hosts.Add(host);
                instances.Port = service.Port;
            }

            return instances;
        }

        public int Seen(int place) => Volatile.Read(ref _seen[place]);

        public async ValueTask DisposeAsync()
        {
            foreach (var service in _services)
                await service.DisposeAsync();
        }

        private async Task AnswerAsync(int place, HttpContext context)
        {
            Interlocked.Increment(ref _seen[place]);
            if (context.Request.Path == "/held")
            {
                Volatile.Write(ref _heldBy, place);
                await Held!.WaitAsync(context.RequestAborted);
            }

            await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            await context.Response.WriteAsync("ok");
        }
    }
}
