using Lintel.Config;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>All listening addresses. A change opens what is new before anything else happens and closes what is gone afterwards; the rest is not touched.</summary>
/// <remarks>Thread rule: one caller at a time, the gateway's reload gate.</remarks>
internal sealed class ListenerSet(IServiceProvider services, TimeProvider time, ILogger<ListenerSet> logger)
{
    private readonly Dictionary<string, Listener> _running = new(StringComparer.Ordinal);
    private readonly List<Task> _closing = [];

    /// <summary>Names with the addresses they are bound to.</summary>
    public IReadOnlyList<(string Name, string Address)> Addresses
    {
        get
        {
            lock (_running)
                return [.. _running.SelectMany(l => l.Value.Addresses.Select(a => (l.Key, a)))];
        }
    }

    /// <summary>Opens what is new. On failure everything is as before, and the report says what could not be opened.</summary>
    /// <returns>What to call when the new configuration goes live; <see langword="null"/> on failure.</returns>
    public async Task<Action<TimeSpan>?> OpenAsync(GatewayConfig config, RequestDelegate handle, MapNode source, ConfigReport report, CancellationToken cancellation)
    {
        var wanted = config.Listeners.Count > 0 ? config.Listeners : new ValueMap<ListenerConfig> { ["default"] = ListenerConfig.Default };
        var opened = new Dictionary<string, Listener>(StringComparer.Ordinal);
        var replaced = new List<Listener>();
        foreach (var (name, listener) in wanted)
        {
            if (_running.GetValueOrDefault(name)?.Config == listener)
                continue;
            try
            {
                // An address that goes on under another name or with other protocols must be let go before it can be taken again.
                var before = _running.Values.FirstOrDefault(r => r.Config.Address == listener.Address && listener.Address.Port != 0);
                if (before is not null)
                {
                    replaced.Add(before);
                    Close(before, config.DrainTimeout);
                }

                opened.Add(name, await OpenAsync(listener, handle, retry: before is not null, cancellation).ConfigureAwait(false));
            }
            catch (IOException e)
            {
                var path = KeyPath.Root["listeners"][name];
                report.Add("listen", path.Locate(source), path, $"cannot listen on {listener.Address}: {e.Message}", "is another process, or another Lintel, using this port?");
            }
        }

        if (report.IsValid)
            return drain => Commit(wanted, opened, replaced, drain);
        foreach (var listener in opened.Values)
            Close(listener, TimeSpan.Zero);
        await ReopenAsync(replaced, handle, cancellation).ConfigureAwait(false);
        return null;
    }

    /// <summary>Closes everything and waits until it is closed.</summary>
    public async Task StopAsync(TimeSpan drain)
    {
        lock (_running)
        {
            foreach (var listener in _running.Values)
                Close(listener, drain);
            _running.Clear();
        }

        await Task.WhenAll(_closing).ConfigureAwait(false);
    }

    private void Commit(ValueMap<ListenerConfig> wanted, Dictionary<string, Listener> opened, List<Listener> replaced, TimeSpan drain)
    {
        lock (_running)
        {
            foreach (var (name, listener) in _running.ToList())
            {
                if (wanted.GetValueOrDefault(name) == listener.Config && !opened.ContainsKey(name))
                    continue;
                _running.Remove(name);
                if (!replaced.Contains(listener))
                    Close(listener, drain);
            }

            foreach (var (name, listener) in opened)
                _running.Add(name, listener);
        }

        _closing.RemoveAll(c => c.IsCompleted);
    }

    private async Task<Listener> OpenAsync(ListenerConfig config, RequestDelegate handle, bool retry, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await Listener.OpenAsync(config, handle, services, cancellation).ConfigureAwait(false);
            }
            catch (IOException) when (retry && attempt < 50)
            {
                // The listener before lets go of the address as the first step of its closing; that takes a moment.
                await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task ReopenAsync(List<Listener> replaced, RequestDelegate handle, CancellationToken cancellation)
    {
        foreach (var old in replaced)
        {
            try
            {
                var again = await OpenAsync(old.Config, handle, retry: true, cancellation).ConfigureAwait(false);
                lock (_running)
                    _running[_running.First(r => r.Value == old).Key] = again;
            }
            catch (IOException e)
            {
                ListenerLog.ReopenFailed(logger, old.Config.Address.ToString(), e.Message);
            }
        }
    }

    private void Close(Listener listener, TimeSpan drain) => _closing.Add(CloseAsync(listener, drain));

    private async Task CloseAsync(Listener listener, TimeSpan drain)
    {
        using var deadline = new CancellationTokenSource(drain, time);
        await listener.StopAsync(deadline.Token).ConfigureAwait(false);
        await listener.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>Log lines of listeners: event ids 1100 to 1199.</summary>
internal static partial class ListenerLog
{
    [LoggerMessage(EventId = 1100, Level = LogLevel.Critical, Message = "The listener on {Address} could not be opened again after a refused reload: {Reason}")]
    public static partial void ReopenFailed(ILogger logger, string address, string reason);
}
