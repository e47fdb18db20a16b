using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Services;
using Lintel.Services.Connections;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Services;

/// <summary>What requests see of a resolver, over both transports.</summary>
public sealed class NameLookupTests : IDisposable
{
    private static readonly TimeSpan Connect = TimeSpan.FromMilliseconds(100);

    private readonly ManualResetEventSlim _speaks = new();
    private readonly Instance _instance = new(new InstanceConfig { Address = new Uri("http://orders.internal:1/") });

    public void Dispose() => _speaks.Set();

    [Fact]
    public async Task Request_WhileTheResolverIsSilent_EndsAtTheConnectTimeoutAsDnsError()
    {
        using var client = Client(null, Silent);
        var started = Stopwatch.GetTimestamp();
        Assert.Equal(GatewayErrorKind.DnsError, await KindAsync(client));
        Assert.True(Stopwatch.GetElapsedTime(started) >= Connect / 2, "it ends early"); // .NET's timers are coarse
    }

    [Fact]
    public async Task RequestOfALoop_WhileTheResolverIsSilent_EndsAtTheConnectTimeoutAsDnsError()
    {
        if (!LoopGroup.IsSupported)
            return;
        using var loops = new LoopGroup(1, NullLogger<LoopGroup>.Instance);
        using var client = Client(loops, Silent);
        var pool = client.Acquire(_instance)!;
        var e = await Assert.ThrowsAsync<UpstreamConnectException>(async () =>
            await pool.RentAsync(pool.AnyLoop(), isFresh: false, CancellationToken.None)
        );
        Assert.Equal(GatewayErrorKind.DnsError, e.Kind);
        Assert.Equal(0, pool.Open);
    }

    [Theory]
    [InlineData(SocketError.HostNotFound, nameof(GatewayErrorKind.DnsError))]
    [InlineData(SocketError.TryAgain, nameof(GatewayErrorKind.DnsError))]
    public async Task Request_ToANameThatIsNotFound_IsADnsError(SocketError error, string kind)
    {
        using var client = Client(null, _ => throw new SocketException((int)error), TimeSpan.FromSeconds(30));
        Assert.Equal(kind, (await KindAsync(client)).ToString());
    }

    /// <summary>A client that leaves meanwhile says nothing of this machine's sockets, or of the service.</summary>
    [Theory]
    [InlineData("http")]
    [InlineData("https")]
    public async Task Connection_ThatIsCutOffWhileItIsMade_IsCanceled(string scheme)
    {
        if (!LoopGroup.IsSupported)
            return;
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(scheme == "http" ? 0 : 10);
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        using var first = new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (scheme == "http")
            await first.ConnectAsync(IPAddress.Loopback, port); // the queue is full: the next one is not answered
        using var loops = new LoopGroup(1, NullLogger<LoopGroup>.Instance);
        using var client = Client(loops, _ => [IPAddress.Loopback], TimeSpan.FromSeconds(30), usesTls: scheme == "https");
        var pool = client.Acquire(new Instance(new InstanceConfig { Address = new Uri($"{scheme}://127.0.0.1:{port}/") }))!;
        using var leaves = new CancellationTokenSource();
        var renting = pool.RentAsync(pool.AnyLoop(), isFresh: false, leaves.Token).AsTask();
        if (scheme == "https")
            using (await listener.AcceptAsync())
                await CancelAsync();
        else
            await CancelAsync();

        async Task CancelAsync()
        {
            Assert.False(renting.IsCompleted);
            await leaves.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => renting);
        }
    }

    /// <summary>The second address is tried where the first one refuses.</summary>
    [Fact]
    public async Task Request_ToANameWithSeveralAddresses_TriesThemInTurn()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var instance = new Instance(
            new InstanceConfig { Address = new Uri($"http://orders.internal:{((IPEndPoint)listener.LocalEndPoint!).Port}/") }
        );
        if (!LoopGroup.IsSupported)
            return;
        using var loops = new LoopGroup(1, NullLogger<LoopGroup>.Instance);
        using var client = Client(loops, _ => [IPAddress.Parse("127.0.0.2"), IPAddress.Loopback], TimeSpan.FromSeconds(30));
        var pool = client.Acquire(instance)!;
        var connection = await pool.RentAsync(pool.AnyLoop(), isFresh: false, CancellationToken.None);
        using var accepted = await listener.AcceptAsync();
        Assert.Equal(1, pool.Open);
        connection.Release();
    }

    private IPAddress[] Silent(string name)
    {
        _speaks.Wait();
        return [IPAddress.Loopback];
    }

    private static UpstreamClient Client(
        LoopGroup? loops,
        Func<string, IPAddress[]> lookup,
        TimeSpan? connect = null,
        bool usesTls = false
    ) =>
        new(
            new UpstreamClientConfig(
                ServiceProtocol.Http1,
                new ServiceTlsConfig(),
                usesTls,
                connect ?? Connect,
                new ConnectionsConfig(),
                ""
            ),
            ServiceCertificates.None,
            "orders",
            TestMetrics.Dependencies(loops: loops, names: new NameResolver(lookup, TimeProvider.System))
        );

    private async Task<GatewayErrorKind> KindAsync(UpstreamClient client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _instance.Prefix + "/");
        var e = await Assert.ThrowsAnyAsync<Exception>(() => client.Invoker.SendAsync(request, CancellationToken.None));
        return HandlerFailures.KindOf(e, AttemptPhase.Connecting, expired: null);
    }
}
