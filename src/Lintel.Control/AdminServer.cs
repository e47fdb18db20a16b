using Lintel.Config;
using Lintel.Control.AdminApi;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace Lintel.Control;

/// <summary>The admin address: a separate server, so that operators can reach the gateway however busy its listeners are.</summary>
/// <remarks>
/// It follows the configuration as listeners do: a new address is opened before a change goes live, one that cannot be bound refuses the
/// change, and the previous address is closed afterwards. Thread rule: changes are made by the gateway's reload, one at a time.
/// </remarks>
/// <param name="gateway">The gateway that it describes.</param>
/// <param name="metrics">Adds the metrics endpoint, at <c>/metrics</c>; not called while <c>observability.metrics.prometheus</c> is
/// false.</param>
/// <param name="documentation">Returns the description of a type's property, or of the type itself for an empty name, for the OpenAPI
/// document.</param>
public sealed class AdminServer(Gateway gateway, Action<IApplicationBuilder> metrics, Func<Type, string, string?> documentation)
    : IHostedService,
        IAsyncDisposable
{
    private readonly AdminRequests _requests = new(new AdminEndpoints(gateway, documentation));
    private readonly List<Task> _closing = [];
    private volatile AdminListener? _listener;

    /// <summary>The address it is bound to; <see langword="null"/> when it is turned off.</summary>
    public string? Address => _listener?.Address;

    /// <summary>Starts following the gateway. The address is opened with its next configuration; immediately, if it has one.</summary>
    /// <exception cref="IOException">The gateway is already running, and the address cannot be bound.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        gateway.Applying += PrepareAsync;
        if (gateway.Config is { Admin.Enabled: true } config)
            _listener = await OpenAsync(config, retry: false, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        gateway.Applying -= PrepareAsync;
        Close(Interlocked.Exchange(ref _listener, null));
        Task[] closing;
        lock (_closing)
            closing = [.. _closing];
        await Task.WhenAll(closing).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _requests.Dispose();
    }

    private async Task PrepareAsync(ConfigChange change, CancellationToken cancellation)
    {
        var (before, admin) = (_listener, change.Config.Admin);
        if (!admin.Enabled)
        {
            change.OnCommit(() => Replace(null));
            return;
        }

        // The grammar checks this too; a configuration made in code has not passed it.
        if (!admin.Address.IsLoopback && admin.Token.Length == 0)
        {
            change.Refuse(
                "insecure",
                ["admin", "address"],
                $"the admin address {admin.Address} is reachable from other machines and has no token",
                "set `admin.token`, or listen on 127.0.0.1"
            );
            return;
        }

        if (before is not null && before.Config.Admin.Address == admin.Address)
        {
            change.OnCommit(() =>
            {
                before.Take(change.Config);
                return Task.CompletedTask;
            });
            return;
        }

        // The same port at another address is available only after it is released: 127.0.0.1:9901 conflicts with 0.0.0.0:9901.
        var isReplaced = before is not null && admin.Address.Port != 0 && before.Config.Admin.Address.Port == admin.Address.Port;
        if (isReplaced)
        {
            Close(before);
            change.OnRollback(async () =>
            {
                _listener = null;
                _listener = await OpenAsync(before!.Config, retry: true, CancellationToken.None).ConfigureAwait(false);
            });
        }

        try
        {
            var opened = await OpenAsync(change.Config, retry: isReplaced, cancellation).ConfigureAwait(false);
            change.OnRollback(() => opened.CloseAsync());
            change.OnCommit(() => Replace(opened, isReplaced));
        }
        catch (IOException e)
        {
            change.Refuse(
                "listen",
                ["admin", "address"],
                $"cannot listen on {admin.Address}: {e.Message}",
                "check whether another process, or another instance of Lintel, uses this port"
            );
        }
    }

    private Task Replace(AdminListener? next, bool isClosed = false)
    {
        var before = Interlocked.Exchange(ref _listener, next);
        if (!isClosed)
            Close(before);
        return Task.CompletedTask;
    }

    /// <summary>Closes a listener. Its answers in progress complete on their own: a reload does not wait for them.</summary>
    private void Close(AdminListener? listener)
    {
        if (listener is null)
            return;
        lock (_closing)
        {
            _closing.RemoveAll(c => c.IsCompleted);
            _closing.Add(listener.CloseAsync());
        }
    }

    private async Task<AdminListener> OpenAsync(GatewayConfig config, bool retry, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await AdminListener.OpenAsync(config, _requests, metrics, cancellation).ConfigureAwait(false);
            }
            catch (IOException) when (retry && attempt < 50)
            {
                // A listener releases its address as the first step of closing; that takes a moment.
                await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation).ConfigureAwait(false);
            }
        }
    }
}
