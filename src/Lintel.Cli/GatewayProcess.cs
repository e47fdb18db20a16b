using Lintel.Cli.Logging;
using Lintel.Config;
using Lintel.Control;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.Cli;

/// <summary>The composition root of <c>lintel run</c> and <c>lintel demo</c>: everything that makes a process of the gateway.</summary>
/// <param name="surroundings">Its process, or what stands in for it.</param>
internal sealed class GatewayProcess(Surroundings surroundings)
{
    /// <summary>
    /// The minimum level of the error log, which overrides the configuration; <see langword="null"/> to use the configuration's.
    /// </summary>
    public LogLevel? Level { get; init; }

    /// <summary>Runs a gateway until a signal ends it.</summary>
    /// <param name="files">Its configuration.</param>
    /// <param name="started">Called when it listens, with its addresses, the admin address and standard error.</param>
    /// <param name="configure">Further services of the process.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(
        string[] files,
        Action<Gateway, string?, TextWriter> started,
        Action<IServiceCollection>? configure = null
    )
    {
        using var errors = surroundings.OpenErrorOutput(); // first: everything for stderr takes this way
        using var levels = new LogLevels(Level);
        using var log = new ErrorLogProvider(errors, levels, TimeProvider.System);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(log); // the access log has stdout
        builder.Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(levels);
        builder.Services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(levels);
        builder.Services.AddSingleton(TimeProvider.System);
        configure?.Invoke(builder.Services);
        builder.Services.AddSingleton(log);

        // Stopped in the opposite order: the admin address tells "not ready" while requests in flight end, and telemetry ends with the
        // process.
        builder.Services.AddSingleton<Telemetry>();
        builder.Services.AddHostedService(s => s.GetRequiredService<Telemetry>());
        builder.Services.AddSingleton(s => new AdminServer(
            s.GetRequiredService<Gateway>(),
            s.GetRequiredService<Telemetry>().MapMetrics,
            Documentation.Create()
        ));
        builder.Services.AddHostedService(s => s.GetRequiredService<AdminServer>());
        builder.Services.AddLintelServer(files);
        builder.Services.AddSingleton<ISystemdNotifier, SystemdNotifier>();
        builder.Services.AddHostedService<ServiceManager>();
        builder.Services.AddSingleton(surroundings.Signals);
        builder.Services.AddSingleton<IHostLifetime, SignalLifetime>();
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = Timeout.InfiniteTimeSpan); // the drain has its own deadline
        using var host = builder.Build();
        log.Follow(host.Services.GetRequiredService<Gateway>());
        try
        {
            await host.StartAsync().ConfigureAwait(false);
        }
        catch (ConfigException e)
        {
            foreach (var problem in e.Report.Problems)
                await errors.WriteLineAsync(problem.ToString()).ConfigureAwait(false);
            return e.Report.Problems.All(p => p.Code == "listen") ? ExitCode.Unavailable : ExitCode.Invalid;
        }
        catch (OperationCanceledException)
            when (host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested)
        {
            await host.StopAsync().ConfigureAwait(false);
            return ExitCode.Ok; // stopped while it was starting
        }
        catch (IOException e)
        {
            await errors.WriteLineAsync(e.Message).ConfigureAwait(false);
            return ExitCode.Unavailable;
        }

        started(host.Services.GetRequiredService<Gateway>(), host.Services.GetRequiredService<AdminServer>().Address, errors);
        await host.WaitForShutdownAsync().ConfigureAwait(false);
        return ExitCode.Ok;
    }
}
