using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Lintel.Hosting;
using Lintel.Observability;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Lintel.TestKit;

/// <summary>A gateway with real listeners in the test's own process.</summary>
public sealed class InProcessGateway : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly ConfigFolder _folder;

    private InProcessGateway(IHost host, ConfigFolder folder, ConcurrentQueue<string> log)
    {
        _host = host;
        _folder = folder;
        Log = log;
        Gateway = host.Services.GetRequiredService<Gateway>();
        Client = CreateClient();
    }

    public Gateway Gateway { get; }

    /// <summary>The gateway's own instruments.</summary>
    public Meter Meter => _host.Services.GetRequiredService<IMeterFactory>().Create(GatewayMetrics.MeterName);

    /// <summary>Lines of the error log.</summary>
    public ConcurrentQueue<string> Log { get; }

    /// <summary>Follows no redirects, keeps no cookies, speaks HTTP/1.1.</summary>
    public HttpClient Client { get; }

    public Uri Address => AddressOf("public");

    public static async Task<InProcessGateway> StartAsync(string yaml)
    {
        var folder = new ConfigFolder();
        var file = folder.Write("gateway.yaml", Complete(yaml));
        var log = new ConcurrentQueue<string>();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(new LogLines(log)).SetMinimumLevel(LogLevel.Debug).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddLintelServer(file);
        var host = builder.Build();
        await host.StartAsync();
        return new InProcessGateway(host, folder, log);
    }

    /// <summary>A client with a connection pool of its own.</summary>
    public HttpClient CreateClient() => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectCallback = LeavingClient.ConnectAsync, AutomaticDecompression = DecompressionMethods.None })
    {
        BaseAddress = Address,
        Timeout = TimeSpan.FromSeconds(60),
    };

    public Uri AddressOf(string listener) => new(Gateway.Addresses.First(a => a.Name == listener).Address);

    /// <summary>Changes the configuration's file and reads it again.</summary>
    public Task ReloadAsync(string before, string after)
    {
        _folder.Write("gateway.yaml", File.ReadAllText(_folder["gateway.yaml"]).Replace(before, after, StringComparison.Ordinal));
        return Gateway.ReloadAsync(CancellationToken.None);
    }

    public Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(Address);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _host.StopAsync();
        _host.Dispose();
        _folder.Dispose();
    }

    private static string Complete(string yaml) =>
        (yaml.Contains("listeners:", StringComparison.Ordinal) ? "" : "listeners: { public: \"http://127.0.0.1:0\" }\n")
        + (yaml.Contains("drainTimeout:", StringComparison.Ordinal) ? "" : "drainTimeout: 1s\n")
        + (yaml.Contains("observability:", StringComparison.Ordinal) ? "" : "observability: { accessLog: { to: none } }\n") + yaml;
}
