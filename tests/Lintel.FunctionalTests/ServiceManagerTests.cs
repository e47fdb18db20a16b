using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The notifications to systemd, over a socket as systemd opens it.</summary>
[AnyTransport]
public sealed class ServiceManagerTests
{
    private const int SigHup = 1;
    private const int SigTerm = 15;
    private const int SigContinue = 18;
    private const int SigStop = 19;

    private const string Yaml = "routes: { r: { match: /x, respond: { body: hi } } }\ndrainTimeout: 7s\ndrainDelay: 1s";

    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Lifecycle_OfAService_IsTold(bool isAbstract)
    {
        using var manager = new Manager(isAbstract);
        await using var gateway = await GatewayProcess.StartAsync(Yaml, settings: manager.Settings());
        await manager.WaitForAsync(m => m == "READY=1\nSTATUS=Serving 1 routes to 0 services");

        var before = Stopwatch.GetTimestamp();
        gateway.Signal(SigHup);
        var reloading = await manager.WaitForAsync(m => m.StartsWith("RELOADING=1\nMONOTONIC_USEC=", StringComparison.Ordinal));
        var at = long.Parse(reloading.Split('=')[2], CultureInfo.InvariantCulture) * (Stopwatch.Frequency / 1_000_000);
        Assert.InRange(at, before, Stopwatch.GetTimestamp());
        await manager.WaitForAsync(m => m == "READY=1\nSTATUS=Serving 1 routes to 0 services", 2);

        await File.WriteAllTextAsync(gateway.ConfigFile, "routes: { r: { match: /x, respond: {}, respnd: {} } }", None);
        var refused = await manager.WaitForAsync(m =>
            m.StartsWith("READY=1\nSTATUS=Reload refused, still serving the previous configuration; ", StringComparison.Ordinal)
        );
        Assert.Contains("unknown-key at routes.r.respnd", refused, StringComparison.Ordinal);

        gateway.Signal(SigTerm);
        await manager.WaitForAsync(m => m.StartsWith("STOPPING=1\nEXTEND_TIMEOUT_USEC=13000000\nSTATUS=", StringComparison.Ordinal));
        Assert.Equal(0, await gateway.ExitCodeAsync());
        Assert.DoesNotContain("WATCHDOG=1", manager.Messages);
    }

    [Fact]
    public async Task Watchdog_OfAProcess_IsAnsweredWhileItRuns_AndNotWhileItIsFrozen()
    {
        using var manager = new Manager(false);
        var settings = manager.Settings();
        settings.Environment["WATCHDOG_USEC"] = "400000";
        await using var gateway = await GatewayProcess.StartAsync(Yaml, settings: settings);
        var started = Stopwatch.GetTimestamp();
        await manager.WaitForAsync(m => m == "WATCHDOG=1", 6);
        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(700), "pings come at half of the interval, not faster");

        gateway.Signal(SigStop);
        await Until.TrueAsync(() => File.ReadAllText($"/proc/{gateway.Id}/stat").Contains(") T ", StringComparison.Ordinal));
        await Task.Delay(100, None); // what was sent before arrives
        var before = manager.Messages.Count;
        await Task.Delay(1000, None); // five pings' time: nothing else can show that none comes
        Assert.Equal(before, manager.Messages.Count);

        gateway.Signal(SigContinue);
        await manager.WaitForAsync(m => m == "WATCHDOG=1", manager.Messages.Count(m => m == "WATCHDOG=1") + 2);
    }

    [Fact]
    public async Task Watchdog_OfAnotherProcess_IsNotAnswered()
    {
        using var manager = new Manager(false);
        var settings = manager.Settings();
        settings.Environment["WATCHDOG_USEC"] = "20000";
        settings.Environment["WATCHDOG_PID"] = "1";
        await using var gateway = await GatewayProcess.StartAsync(Yaml, settings: settings);
        gateway.Signal(SigTerm);
        await manager.WaitForAsync(m => m.StartsWith("STOPPING=1", StringComparison.Ordinal));
        Assert.Equal(0, await gateway.ExitCodeAsync()); // more than a second of draining
        Assert.DoesNotContain("WATCHDOG=1", manager.Messages);
    }

    [Fact]
    public async Task Socket_ThatNobodyReads_DoesNotHoldTheGatewayUp()
    {
        var manager = new Manager(false);
        var settings = manager.Settings();
        manager.Dispose();
        await using var gateway = await GatewayProcess.StartAsync(Yaml, settings: settings);
        Assert.Equal("hi", await gateway.Client.GetStringAsync(new Uri("/x", UriKind.Relative), None));
    }

    /// <summary>The part of systemd that listens.</summary>
    private sealed class Manager : IDisposable
    {
        private readonly ConfigFolder _folder = new();
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        private readonly string _name;

        public Manager(bool isAbstract)
        {
            _name = isAbstract ? "@lintel-test-" + Guid.NewGuid().ToString("n") : _folder["notify"];
            _socket.Bind(new UnixDomainSocketEndPoint(isAbstract ? '\0' + _name[1..] : _name));
            _ = ReadAsync();
        }

        public ConcurrentQueue<string> Messages { get; } = new();

        public ProcessSettings Settings() => new() { Environment = { ["NOTIFY_SOCKET"] = _name } };

        public Task<string> WaitForAsync(Func<string, bool> isIt, int count = 1) =>
            Until.SeenAsync(() => Messages.Where(isIt).ElementAtOrDefault(count - 1));

        public void Dispose()
        {
            _socket.Dispose();
            _folder.Dispose();
        }

        private async Task ReadAsync()
        {
            var buffer = new byte[8192];
            try
            {
                while (true)
                    Messages.Enqueue(Encoding.UTF8.GetString(buffer, 0, await _socket.ReceiveAsync(buffer, SocketFlags.None)));
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // The test has ended.
            }
        }
    }
}
