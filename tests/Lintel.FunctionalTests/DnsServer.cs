using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>dnsmasq on a port of its own, for names below <c>test</c>. Its records have a TTL of 0.</summary>
internal sealed class DnsServer : IAsyncDisposable
{
    private readonly ConfigFolder _folder = new();
    private readonly int _port = FreePort();
    private Process? _process;

    private DnsServer() { }

    /// <summary>Where it listens, as <c>discover.server</c> is written.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    public static async Task<DnsServer> StartAsync(params string[] addresses)
    {
        var server = new DnsServer();
        server.Write(addresses);
        await server.RunAsync([]);
        return server;
    }

    /// <summary>Sets the addresses of <c>orders.test</c>.</summary>
    public async Task SetAsync(params string[] addresses)
    {
        Write(addresses);
        using var signal = Process.Start("kill", ["-HUP", _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        await signal.WaitForExitAsync();
    }

    /// <summary>Starts it again, with these SRV records of <c>_http._tcp.orders.test</c>: target, port, priority, weight.</summary>
    public async Task RestartAsync(params string[] services)
    {
        await StopAsync();
        await RunAsync([.. services.Select(s => $"--srv-host=_http._tcp.orders.test,{s}")]);
    }

    public async Task StopAsync()
    {
        if (_process is not { } process)
            return;
        _process = null;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _folder.Dispose();
    }

    private void Write(string[] addresses) =>
        _folder.Write("hosts", string.Concat(addresses.Select((a, i) => $"{a} orders.test instance-{i}.orders.test\n")));

    private async Task RunAsync(string[] more)
    {
        string[] arguments =
        [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            $"--port={_port}",
            $"--user={Environment.UserName}",
            "--local=/test/",
            "--local-ttl=0",
            "--log-facility=/dev/null",
            $"--addn-hosts={_folder["hosts"]}",
            .. more,
        ];
        _process = Process.Start("/usr/sbin/dnsmasq", arguments);
        await Until.TrueAsync(IsUp);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private bool IsUp()
    {
        Assert.False(_process!.HasExited, "dnsmasq has ended");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, _port); // it listens for both protocols at once
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
