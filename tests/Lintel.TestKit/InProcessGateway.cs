using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Lintel.Hosting;
using Lintel.Observability;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Lintel.TestKit;

/// <summary>
/// A gateway in the test's own process: with real listeners, or inside an ASP.NET Core application whose middleware the test writes.
/// </summary>
public sealed class InProcessGateway : IAsyncDisposable
{
    private const string Quiet = "observability: { accessLog: { to: none } }\n";

    /// <summary>A test of anything else must not depend on how busy the machine is.</summary>
    private const string Calm = "overload: off\n";

    private readonly IHost _host;
    private readonly ConfigFolder _folder;

    private InProcessGateway(IHost host, ConfigFolder folder, ConcurrentQueue<string> log)
    {
        _host = host;
        _folder = folder;
        Log = log;
        Gateway = host.Services.GetRequiredService<Gateway>();
        Address = host is WebApplication application ? new Uri(application.Urls.First()) : AddressOf("public");
        Client = CreateClient();
    }

    public Gateway Gateway { get; }

    /// <summary>The gateway's own instruments.</summary>
    public Meter Meter => _host.Services.GetRequiredService<IMeterFactory>().Create(GatewayTelemetry.MeterName);

    /// <summary>Lines of the error log, or of the application's.</summary>
    public ConcurrentQueue<string> Log { get; }

    /// <summary>Follows no redirects, keeps no cookies, uses HTTP/1.1.</summary>
    public HttpClient Client { get; }

    /// <summary>The address of the listener <c>public</c>, or of the application.</summary>
    public Uri Address { get; }

    /// <summary>The folder of <c>gateway.yaml</c> and the files beside it.</summary>
    public ConfigFolder Folder => _folder;

    /// <summary>Starts a gateway with listeners of its own.</summary>
    /// <param name="yaml">The configuration. Defaults: a listener on a free port, a short drain, no access log, no shedding.</param>
    /// <param name="files">Files beside it, by name.</param>
    /// <param name="services">Services of the host, which take precedence over the gateway's own.</param>
    public static Task<InProcessGateway> StartAsync(
        string yaml,
        IReadOnlyDictionary<string, string>? files = null,
        Action<IServiceCollection>? services = null
    )
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        services?.Invoke(builder.Services);
        return StartAsync(builder, Complete(yaml), files, file => builder.Services.AddLintelServer(file), builder.Build);
    }

    /// <summary>Starts an application with the gateway in it.</summary>
    /// <param name="yaml">The gateway's configuration.</param>
    /// <param name="configure">The application's middleware and endpoints, <c>MapLintel</c> among them.</param>
    /// <param name="services">Its services.</param>
    public static Task<InProcessGateway> StartInApplicationAsync(
        string yaml,
        Action<WebApplication> configure,
        Action<IServiceCollection>? services = null
    )
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        return StartAsync(
            builder,
            WithQuiet(yaml),
            null,
            file => builder.Services.AddLintel(file),
            () =>
            {
                services?.Invoke(builder.Services);
                var application = builder.Build();
                configure(application);
                return application;
            }
        );
    }

    /// <summary>A client with a connection pool of its own.</summary>
    public HttpClient CreateClient() =>
        new(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseCookies = false,
                UseProxy = false,
                ConnectCallback = LeavingClient.ConnectAsync,
                AutomaticDecompression = DecompressionMethods.None,
            }
        )
        {
            BaseAddress = Address,
            Timeout = Until.Patience,
        };

    public Uri AddressOf(string listener) => new(Gateway.Addresses.First(a => a.Name == listener).Address);

    /// <summary>A service of the host.</summary>
    public T Service<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>
    /// Replaces the configuration's file and has it taken. The listeners of the first stay those of the second unless it names its own.
    /// </summary>
    public Task ReloadAsync(string yaml)
    {
        _folder.Write("gateway.yaml", _host is WebApplication ? WithQuiet(yaml) : Complete(yaml));
        return Gateway.ReloadAsync(CancellationToken.None);
    }

    /// <summary>Changes the configuration's file and has it taken.</summary>
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
        if (_host is IAsyncDisposable application)
            await application.DisposeAsync();
        else
            _host.Dispose();
        _folder.Dispose();
    }

    private static async Task<InProcessGateway> StartAsync(
        IHostApplicationBuilder builder,
        string yaml,
        IReadOnlyDictionary<string, string>? files,
        Action<string> add,
        Func<IHost> build
    )
    {
        var folder = new ConfigFolder();
        foreach (var (name, text) in files ?? new Dictionary<string, string>())
            folder.Write(name, text);
        var log = new ConcurrentQueue<string>();
        builder.Logging.AddProvider(new LogLines(log)).SetMinimumLevel(LogLevel.Debug).AddFilter("Microsoft", LogLevel.Warning);
        add(folder.Write("gateway.yaml", yaml));
        var host = build();
        await host.StartAsync();
        return new InProcessGateway(host, folder, log);
    }

    private static string Complete(string yaml) =>
        (yaml.Contains("listeners:", StringComparison.Ordinal) ? "" : "listeners: { public: \"http://127.0.0.1:0\" }\n")
        + (yaml.Contains("drainTimeout:", StringComparison.Ordinal) ? "" : "drainTimeout: 1s\n")
        + WithQuiet(yaml);

    private static string WithQuiet(string yaml) =>
        (yaml.Contains("overload:", StringComparison.Ordinal) ? "" : Calm)
        + (yaml.Contains("observability:", StringComparison.Ordinal) ? yaml : Quiet + yaml);
}
