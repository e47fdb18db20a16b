using Lintel.Config;
using Lintel.Transport.Loop;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lintel.Hosting;

/// <summary>Starts the gateway with its host, reloads it while the host runs, drains it when the host stops.</summary>
internal sealed class GatewayLifetime(Gateway gateway, IServiceProvider services) : IHostedService, IDisposable
{
    private IDisposable? _watch;

    /// <exception cref="ConfigException">The configuration is invalid: a gateway that cannot start must not appear to have
    /// started.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Preparation.PrepareErrors();
        var report = await gateway.ReloadAsync(cancellationToken).ConfigureAwait(false);
        if (!report.IsValid && !(IsOfTheFiles(report) && await gateway.TryStartFromLastGoodAsync(cancellationToken).ConfigureAwait(false)))
            throw new ConfigException(report);
        _watch = gateway.Watch();
        _ = BackgroundThread.RunAsync("lintel-prepare", Preparation.InitializeTypes);
        _ = services.GetService<LoadPeakWatch>(); // starts watching
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _watch?.Dispose();
        return gateway.StopAsync(cancellationToken);
    }

    /// <summary>
    /// Whether the problems are those of the files. A port in use is not: the last good files would most likely use it too.
    /// </summary>
    private static bool IsOfTheFiles(ConfigReport report) => report.Problems.Any(p => p.Code != "listen");

    public void Dispose() => _watch?.Dispose();
}
