using System.Runtime.InteropServices;
using Lintel.Hosting;
using Microsoft.Extensions.Hosting;

namespace Lintel.Cli;

/// <summary>The first SIGTERM or SIGINT drains, a second one ends the process at once; SIGHUP reloads.</summary>
internal sealed class SignalLifetime(IHostApplicationLifetime lifetime, Gateway gateway) : IHostLifetime, IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _stopSignals;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, Reload));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    private void Stop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        if (Interlocked.Increment(ref _stopSignals) > 1)
            Environment.Exit(ExitCode.Forced);
        lifetime.StopApplication();
    }

    private void Reload(PosixSignalContext signal)
    {
        signal.Cancel = true;
        _ = gateway.ReloadAsync(CancellationToken.None);
    }
}
