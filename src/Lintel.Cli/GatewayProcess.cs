using Lintel.Config;
using Lintel.Control;
using Lintel.Hosting;
using Lintel.Observability;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Lintel.Cli;

/// <summary>The composition root of <c>lintel run</c> and <c>lintel demo</c>: everything that makes a process of the gateway.</summary>
internal static class GatewayProcess
{
    /// <summary>Runs a gateway until a signal ends it.</summary>
    /// <param name="files">Its configuration.</param>
    /// <param name="started">Called when it listens, with its addresses and the admin address.</param>
    /// <param name="configure">Further services of the process.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] files, Action<Gateway, string?> started, Action<IServiceCollection>? configure = null)
    {
        using var meters = Sdk.CreateMeterProviderBuilder().AddMeter(GatewayMetrics.MeterName).AddPrometheusExporter().Build();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        AddLogging(builder.Logging);
        configure?.Invoke(builder.Services);

        // Stopped in the opposite order: the admin address tells "not ready" while requests in flight end.
        builder.Services.AddSingleton(s => new AdminServer(s.GetRequiredService<Gateway>(), app => app.UseOpenTelemetryPrometheusScrapingEndpoint(meters, null, "/metrics", null, null), s.GetRequiredService<ILogger<AdminServer>>()));
        builder.Services.AddHostedService<AdminLifetime>();
        builder.Services.AddLintelServer(files);
        builder.Services.AddHostedService<AdminStart>();
        builder.Services.AddSingleton<IHostLifetime, SignalLifetime>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = Timeout.InfiniteTimeSpan); // the drain has its own deadline
        using var host = builder.Build();
        try
        {
            await host.StartAsync().ConfigureAwait(false);
        }
        catch (ConfigException e)
        {
            foreach (var problem in e.Report.Problems)
                await Console.Error.WriteLineAsync(problem.ToString()).ConfigureAwait(false);
            return e.Report.Problems.All(p => p.Code == "listen") ? ExitCode.Unavailable : ExitCode.Invalid;
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return ExitCode.Unavailable;
        }

        started(host.Services.GetRequiredService<Gateway>(), host.Services.GetRequiredService<AdminServer>().Address);
        await host.WaitForShutdownAsync().ConfigureAwait(false);
        return ExitCode.Ok;
    }

    private static void AddLogging(ILoggingBuilder logging)
    {
        // The access log has stdout; everything else goes to stderr, a line each.
        logging.AddSimpleConsole(o =>
        {
            o.SingleLine = true;
            o.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            o.UseUtcTimestamp = true;
        });
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // a failed start is told below, without its stack
    }

    /// <summary>Opens the admin address once the gateway has its configuration.</summary>
    private sealed class AdminStart(AdminServer admin) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => admin.StartAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Closes the admin address last.</summary>
    private sealed class AdminLifetime(AdminServer admin) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => admin.StopAsync(cancellationToken);
    }
}
