using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Lintel.Control;

/// <summary>The admin address: a server of its own, so that operators reach the gateway however busy its listeners are.</summary>
/// <param name="gateway">What it tells about.</param>
/// <param name="metrics">Adds the metrics endpoint; left out by <c>observability.metrics.prometheus: false</c>.</param>
/// <param name="logger">Where a failure to follow a reload is told.</param>
public sealed partial class AdminServer(Gateway gateway, Action<IApplicationBuilder> metrics, ILogger<AdminServer> logger) : IHostedService, IAsyncDisposable
{
    private WebApplication? _application;
    private (AdminConfig Admin, MetricsConfig Metrics)? _running;

    /// <summary>Where it listens; <see langword="null"/> when it is turned off.</summary>
    public string? Address => _application?.Urls.FirstOrDefault();

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (gateway.Config is { } config)
            await FollowAsync(config).ConfigureAwait(false);
        gateway.Applied += ApplyAsync;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        gateway.Applied -= ApplyAsync;
        if (_application is not null)
            await _application.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_application is not null)
            await _application.DisposeAsync().ConfigureAwait(false);
        _application = null;
    }

    private async Task ApplyAsync(GatewayConfig config)
    {
        try
        {
            await FollowAsync(config).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            Failed(logger, config.Admin.Address.ToString(), e.Message);
        }
    }

    private async Task FollowAsync(GatewayConfig config)
    {
        var wanted = (config.Admin, config.Observability.Metrics);
        if (_running == wanted)
            return;
        if (_application is not null)
            await _application.DisposeAsync().ConfigureAwait(false);
        _application = null;
        _running = wanted;
        if (!config.Admin.Enabled)
            return;
        var application = Build(config);
        try
        {
            await application.StartAsync().ConfigureAwait(false);
        }
        catch
        {
            await application.DisposeAsync().ConfigureAwait(false);
            _running = null;
            throw;
        }

        _application = application;
    }

    private WebApplication Build(GatewayConfig config)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(o =>
        {
            o.AddServerHeader = false;
            o.Limits.MaxRequestBodySize = 64 * 1024; // nothing here takes a body worth the name
            o.Limits.MaxConcurrentConnections = 256; // probes and scrapers; a flood here must not cost the gateway its memory
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        var application = builder.Build();
        var host = config.Admin.Address.Host;
        application.Urls.Add(host.Contains(':') ? $"http://[{host}]:{config.Admin.Address.Port}" : $"http://{host}:{config.Admin.Address.Port}");
        if (config.Admin.Token.Length > 0)
            application.Use(Authorize(config.Admin.Token));
        if (config.Observability.Metrics.Prometheus)
            metrics(application);
        application.UseRouting();
        HealthEndpoints.Map(application, gateway);
        return application;
    }

    /// <summary>Health is open: probes carry no credentials and it tells nothing else.</summary>
    private static Func<HttpContext, RequestDelegate, Task> Authorize(string token)
    {
        var expected = SHA256.HashData(Encoding.UTF8.GetBytes("Bearer " + token));
        return (context, next) =>
        {
            var given = SHA256.HashData(Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString()));
            if (context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal) || CryptographicOperations.FixedTimeEquals(given, expected))
                return next(context);
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return Task.CompletedTask;
        };
    }

    [LoggerMessage(EventId = 2000, Level = LogLevel.Error, Message = "The admin address {Address} could not be opened: {Reason}")]
    private static partial void Failed(ILogger logger, string address, string reason);

    /// <summary>Signals belong to the process's own host.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
