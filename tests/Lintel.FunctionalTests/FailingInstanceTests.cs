using System.Net;
using System.Net.Sockets;
using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests;

/// <summary>What one instance does to its connections, while another one is well: the drills of <c>bench/drills</c>, request by request.</summary>
[EveryTransport]
public sealed class FailingInstanceTests
{
    private const string Retry = "retry: { attempts: 3, on: [connect, reset, timeout], backoff: { base: 1ms, max: 2ms }";

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task Connections_ThatAreReset_UnderManyRequests_LoseNone(string protocol)
    {
        var listen = Listen(protocol);
        var arrived = 0;
        await using var bad = await TestService.StartAsync(
            async context =>
            {
                // Several requests are on one HTTP/2 connection when it ends.
                var socket = context.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;
                Interlocked.Increment(ref arrived);
                await Until.TrueAsync(() => Volatile.Read(ref arrived) >= 4);
                socket.LingerState = new LingerOption(true, 0);
                socket.Close();
            },
            listen
        );
        await using var good = await TestService.StartAsync(listen: listen);
        await using var gateway = await StartAsync(bad, good, $"protocol: {protocol}, {Retry} }}");
        var statuses = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => GetAsync(gateway)));
        Assert.All(statuses, s => Assert.Equal(HttpStatusCode.OK, s));
        Assert.Equal((4, 8), (bad.Seen.Count, good.Seen.Count));
    }

    [Theory]
    [InlineData("http1")]
    [InlineData("http2")]
    public async Task Answer_ThatIsCutOff_IsAskedForAgainByACompositionAlone(string protocol)
    {
        var listen = Listen(protocol);
        await using var bad = await TestService.StartAsync(
            async context =>
            {
                context.Response.ContentType = "application/json";
                context.Response.ContentLength = 10;
                await context.Response.WriteAsync("{\"id\"");
                // Kestrel sends what there is, and ends connection or stream because of what is missing.
            },
            listen
        );
        await using var good = await TestService.StartAsync(c => c.Response.WriteAsJsonAsync(new { id = 1 }), listen);
        await using var gateway = await StartAsync(bad, good, $"protocol: {protocol}, {Retry} }}");
        using var composed = await gateway.Client.GetAsync(new Uri("/composed", UriKind.Relative));
        Assert.Equal("""{"a":{"id":1}}""", await composed.Content.ReadAsStringAsync());
        Assert.Equal((1, 1), (bad.Seen.Count, good.Seen.Count));

        using var written = await gateway.Client.PostAsync(new Uri("/written", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.BadGateway, written.StatusCode); // it may have been done
        Assert.Equal((2, 1), (bad.Seen.Count, good.Seen.Count));
        var last = HttpStatusCode.OK;
        while (bad.Seen.Count == 2)
        {
            Assert.Equal(HttpStatusCode.OK, last); // the good one's turn
            last = await GetAsync(gateway).ContinueWith(t => t.IsFaulted ? HttpStatusCode.BadGateway : t.Result, TaskScheduler.Default);
        }

        Assert.Equal((HttpStatusCode.BadGateway, 3), (last, bad.Seen.Count)); // its head was taken: it is not sent again
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")] // nothing was sent
    public async Task Queue_OfConnectionsThatIsFull_GivesWayToAnotherInstance(string method)
    {
        using var full = new FullQueue();
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(full.Address, good.Address, $"timeouts: {{ connect: 200ms }}, {Retry} }}");
        using var request = new HttpRequestMessage(new HttpMethod(method), "/a");
        using var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Contains(gateway.Log, l => l.Contains("connection-timeout", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Instance_ThatIsSlow_IsEjected_AndNobodyWaitsForItAnyMore()
    {
        var never = new TaskCompletionSource();
        await using var slow = await TestService.StartAsync(_ => never.Task);
        await using var good = await TestService.StartAsync();
        await using var gateway = await StartAsync(
            slow,
            good,
            $"{Retry}, perTryTimeout: 300ms }}, health: {{ passive: {{ consecutiveFailures: 2, ejectFor: 1h }} }}"
        );
        while (gateway.Gateway.FindService("s")!.Instances[0].Health!.State == "available")
            Assert.Equal(HttpStatusCode.OK, await GetAsync(gateway));
        Assert.Equal(2, slow.Seen.Count);
        for (var i = 0; i < 10; i++)
            Assert.Equal(HttpStatusCode.OK, await GetAsync(gateway));
        Assert.Equal(2, slow.Seen.Count);
        never.SetResult();
    }

    private static Action<ListenOptions> Listen(string protocol) =>
        l => l.Protocols = protocol == "http2" ? HttpProtocols.Http2 : HttpProtocols.Http1;

    private static Task<InProcessGateway> StartAsync(TestService bad, TestService good, string options) =>
        StartAsync(bad.Address, good.Address, options);

    private static Task<InProcessGateway> StartAsync(string bad, string good, string options) =>
        InProcessGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0" }
            services: { s: { instances: ["{{bad}}", "{{good}}"], balancing: roundRobin, {{options}} } }
            routes:
              composed: { match: /composed, compose: { calls: { a: s/a } } }
              written: { match: POST /written, compose: { calls: { a: POST s/a } } }
              all: { match: "/{**rest}", forward: s }
            """
        );

    private static async Task<HttpStatusCode> GetAsync(InProcessGateway gateway)
    {
        using var response = await gateway.Client.GetAsync(new Uri("/a", UriKind.Relative)).InTimeAsync();
        return response.StatusCode;
    }

    /// <summary>A listening socket whose queue is full: the kernel neither accepts nor refuses.</summary>
    private sealed class FullQueue : IDisposable
    {
        private readonly List<Socket> _sockets = [];

        public FullQueue()
        {
            var listener = Add();
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen(1);
            var address = (IPEndPoint)listener.LocalEndPoint!;
            Address = $"http://{address}";
            for (var i = 0; i < 4; i++) // the kernel has room for one more than the backlog
            {
                var client = Add();
                client.Blocking = false;
                try
                {
                    client.Connect(address);
                }
                catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
                {
                    // Under way, and stays so once the queue is full.
                }
            }
        }

        public string Address { get; }

        public void Dispose() => _sockets.ForEach(s => s.Dispose());

        private Socket Add()
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _sockets.Add(socket);
            return socket;
        }
    }
}
