using System.Collections.Concurrent;
using System.Net;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.TestKit;

/// <summary>A gateway inside an ASP.NET Core application on Kestrel, whose middleware the test writes.</summary>
public sealed class EmbeddedGateway : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConfigFolder _folder;

    private EmbeddedGateway(WebApplication application, ConfigFolder folder, ConcurrentQueue<string> log)
    {
        _application = application;
        _folder = folder;
        Log = log;
        Gateway = application.Services.GetRequiredService<Gateway>();
        Address = new Uri(application.Urls.First());
        Client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, AutomaticDecompression = DecompressionMethods.None })
        {
            BaseAddress = Address,
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public Gateway Gateway { get; }

    public Uri Address { get; }

    public HttpClient Client { get; }

    /// <summary>Lines of the application's log.</summary>
    public ConcurrentQueue<string> Log { get; }

    /// <summary>Starts the application.</summary>
    /// <param name="yaml">The gateway's configuration.</param>
    /// <param name="configure">The application's middleware and endpoints, <c>MapLintel</c> among them.</param>
    /// <param name="services">Its services.</param>
    public static async Task<EmbeddedGateway> StartAsync(string yaml, Action<WebApplication> configure, Action<IServiceCollection>? services = null)
    {
        var folder = new ConfigFolder();
        var log = new ConcurrentQueue<string>();
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = folder.Path });
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders().AddProvider(new LogLines(log)).SetMinimumLevel(LogLevel.Debug).AddFilter("Microsoft", LogLevel.Warning);
        folder.Write("gateway.yaml", yaml.Contains("observability:", StringComparison.Ordinal) ? yaml : "observability: { accessLog: { to: none } }\n" + yaml);
        builder.Services.AddLintel(folder["gateway.yaml"]);
        services?.Invoke(builder.Services);
        var application = builder.Build();
        configure(application);
        await application.StartAsync();
        return new EmbeddedGateway(application, folder, log);
    }

    /// <summary>Replaces the configuration's file and has it taken.</summary>
    public async Task ReloadAsync(string yaml)
    {
        _folder.Write("gateway.yaml", "observability: { accessLog: { to: none } }\n" + yaml);
        await Gateway.ReloadAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _application.StopAsync();
        await _application.DisposeAsync();
        _folder.Dispose();
    }
}
