using Lintel.Hosting;
using Microsoft.Extensions.Hosting;

namespace Lintel.Cli;

/// <summary>The host's life is that of the process: it ends with a signal (<see cref="Signals"/>).</summary>
internal sealed class SignalLifetime(IHostApplicationLifetime lifetime, Gateway gateway, Signals signals) : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        signals.Attach(lifetime, gateway);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
