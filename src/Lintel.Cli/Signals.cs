using System.Runtime.InteropServices;
using Lintel.Hosting;
using Microsoft.Extensions.Hosting;

namespace Lintel.Cli;

/// <summary>
/// The process's signals from its first moment on: the first SIGTERM or SIGINT drains, a second one ends the process at once; SIGHUP
/// reloads. What comes while the gateway is not there yet waits for it.
/// </summary>
/// <remarks>Thread rule: signals come on threads of their own; every field is read and written under the lock.</remarks>
internal sealed class Signals : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<PosixSignalRegistration> _registrations = [];
    private IHostApplicationLifetime? _lifetime;
    private Gateway? _gateway;
    private int _stops;
    private bool _isReloadAsked;

    /// <summary>Begins to take signals. Until then the system's default is in force, which ends the process.</summary>
    public static Signals Begin()
    {
        var signals = new Signals();
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, s => Take(s, signals.Stop)));
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, s => Take(s, signals.Stop)));
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, s => Take(s, signals.Reload)));
        return signals;

        static void Take(PosixSignalContext signal, Action act)
        {
            signal.Cancel = true;
            act();
        }
    }

    /// <summary>
    /// Hands over what came and what will come: a stop at once, even while the gateway starts; a reload once it has started.
    /// </summary>
    public void Attach(IHostApplicationLifetime lifetime, Gateway gateway)
    {
        bool isStopping;
        lock (_lock)
        {
            _lifetime = lifetime;
            isStopping = _stops > 0;
        }

        lifetime.ApplicationStarted.Register(() => Started(gateway));
        if (isStopping)
            lifetime.StopApplication();
    }

    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    private void Started(Gateway gateway)
    {
        bool isAsked;
        lock (_lock)
        {
            _gateway = gateway;
            isAsked = _isReloadAsked;
        }

        if (isAsked)
            _ = gateway.ReloadAsync(CancellationToken.None);
    }

    /// <summary>SIGTERM or SIGINT.</summary>
    public void Stop()
    {
        IHostApplicationLifetime? lifetime;
        lock (_lock)
        {
            if (++_stops > 1)
                Environment.Exit(ExitCode.Forced);
            lifetime = _lifetime;
        }

        lifetime?.StopApplication();
    }

    /// <summary>SIGHUP.</summary>
    public void Reload()
    {
        Gateway? gateway;
        lock (_lock)
        {
            gateway = _gateway;
            _isReloadAsked = true;
        }

        if (gateway is not null)
            _ = gateway.ReloadAsync(CancellationToken.None);
    }
}
