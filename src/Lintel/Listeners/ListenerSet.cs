using System.Security.Cryptography;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Pipeline;
using Microsoft.Extensions.Logging;

namespace Lintel.Listeners;

/// <summary>All listeners. A change opens new listeners first and closes removed ones afterwards; unchanged ones stay open.</summary>
/// <remarks>Thread rule: one caller at a time, the gateway's reload gate.</remarks>
internal sealed class ListenerSet(IServiceProvider services, TimeProvider time, ILogger<ListenerSet> logger)
{
    private const string Changed = "a reload closed or changed the listener";

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

    /// <summary>Connections of clients that are open.</summary>
    public int Connections
    {
        get
        {
            lock (_running)
                return _running.Values.Sum(l => l.Connections);
        }
    }

    /// <summary>
    /// Opens new listeners. On failure nothing is changed, and the report contains the addresses that could not be opened.
    /// </summary>
    /// <returns>The commit action for when the new configuration goes live; <see langword="null"/> on failure.</returns>
    public async Task<Action<TimeSpan>?> OpenAsync(
        GatewayConfig config,
        RequestHandler handle,
        MapNode source,
        ConfigReport report,
        CancellationToken cancellation
    )
    {
        var wanted = config.EffectiveListeners;
        var opened = new Dictionary<string, Listener>(StringComparer.Ordinal);
        var replaced = new List<Listener>();
        var renewed = new List<(Listener Listener, CertificateStore Certificates)>();
        foreach (var (name, listener) in wanted)
        {
            var path = KeyPath.Root["listeners"][name];
            try
            {
                if (_running.TryGetValue(name, out var running) && running.Config == listener)
                {
                    // Its settings are the same; its certificates' files may not be.
                    if (listener.Address.IsTls)
                        renewed.Add((running, Listener.ReadCertificates(listener)));
                    continue;
                }

                // An address that goes on under another name or with other protocols must be let go before it can be taken again.
                var before = _running.Values.FirstOrDefault(r => r.Config.Address.IsSamePlace(listener.Address));
                if (before is not null)
                {
                    replaced.Add(before);
                    Close(before, config.DrainTimeout, Changed, CancellationToken.None);
                }

                opened.Add(name, await OpenAsync(name, listener, handle, retry: before is not null, cancellation).ConfigureAwait(false));
            }
            catch (IOException e)
            {
                report.Add(
                    "listen",
                    path.Locate(source),
                    path,
                    $"cannot listen on {listener.Address}: {e.Message}",
                    listener.Address.IsUnix
                        ? "check whether another process listens there, and whether this one may write to the directory"
                        : "check whether another process, or another instance of Lintel, uses this port"
                );
            }
            catch (CryptographicException e)
            {
                ReportCertificates(e, path, source, report);
            }
        }

        if (report.IsValid)
            return drain =>
            {
                foreach (var (listener, certificates) in renewed)
                    listener.Use(certificates, drain);
                Commit(wanted, opened, replaced, drain);
            };
        foreach (var listener in opened.Values)
            Close(listener, TimeSpan.Zero, Changed, CancellationToken.None);
        await ReopenAsync(replaced, handle, cancellation).ConfigureAwait(false);
        return null;
    }

    /// <summary>Reads what listeners will need besides their addresses, without opening anything.</summary>
    public static void Check(GatewayConfig config, MapNode source, ConfigReport report)
    {
        foreach (var (name, listener) in config.Listeners.Where(l => l.Value.Address.IsTls))
        {
            try
            {
                _ = Listener.ReadCertificates(listener);
            }
            catch (CryptographicException e)
            {
                ReportCertificates(e, KeyPath.Root["listeners"][name], source, report);
            }
        }
    }

    /// <summary>Closes everything and waits until it is closed.</summary>
    /// <param name="drain">The time limit of requests in flight.</param>
    /// <param name="cancellation">Ends that time immediately.</param>
    public async Task StopAsync(TimeSpan drain, CancellationToken cancellation)
    {
        lock (_running)
        {
            foreach (var listener in _running.Values)
                Close(listener, drain, "the gateway stopped", cancellation);
            _running.Clear();
        }

        await Task.WhenAll(_closing).ConfigureAwait(false);
    }

    private static void ReportCertificates(CryptographicException e, KeyPath listener, MapNode source, ConfigReport report)
    {
        var path = listener["certificates"];
        report.Add(
            "file",
            path.Locate(source),
            path,
            $"the certificates cannot be used: {e.Message}",
            "they are PEM files, not encrypted; the key must belong to the certificate"
        );
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
                    Close(listener, drain, Changed, CancellationToken.None);
            }

            foreach (var (name, listener) in opened)
                _running.Add(name, listener);
        }

        _closing.RemoveAll(c => c.IsCompleted);
    }

    private async Task<Listener> OpenAsync(
        string name,
        ListenerConfig config,
        RequestHandler handle,
        bool retry,
        CancellationToken cancellation
    )
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await Listener
                    .OpenAsync(new ListenerIdentity(name, config), config, handle, services, cancellation)
                    .ConfigureAwait(false);
            }
            catch (IOException) when (retry && attempt < 50)
            {
                // The listener before lets go of the address as the first step of its closing; that takes a moment.
                await Task.Delay(TimeSpan.FromMilliseconds(20), time, cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task ReopenAsync(List<Listener> replaced, RequestHandler handle, CancellationToken cancellation)
    {
        foreach (var old in replaced)
        {
            try
            {
                var again = await OpenAsync(old.Name, old.Config, handle, retry: true, cancellation).ConfigureAwait(false);
                lock (_running)
                    _running[_running.First(r => r.Value == old).Key] = again;
            }
            catch (Exception e) when (e is IOException or CryptographicException)
            {
                ListenerLog.ReopenFailed(logger, old.Config.Address.ToString(), e.Message);
            }
        }
    }

    private void Close(Listener listener, TimeSpan drain, string why, CancellationToken cancellation) =>
        _closing.Add(CloseAsync(listener, drain, why, cancellation));

    private async Task CloseAsync(Listener listener, TimeSpan drain, string why, CancellationToken cancellation)
    {
        using var deadline = new CancellationTokenSource(drain, time);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
        await listener.StopAsync(why, ends.Token).ConfigureAwait(false);
        await listener.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>Log lines of listeners: event ids 1100 to 1199.</summary>
internal static partial class ListenerLog
{
    [LoggerMessage(
        EventId = 1100,
        Level = LogLevel.Critical,
        Message = "The listener on {Address} could not be reopened after a refused reload: {Reason}"
    )]
    public static partial void ReopenFailed(ILogger logger, string address, string reason);

    [LoggerMessage(
        EventId = 1101,
        Level = LogLevel.Warning,
        Message = "HTTP/3 is off on {Address}: the library libmsquic is not installed; HTTP/1.1 and HTTP/2 are offered as configured"
    )]
    public static partial void NoQuic(ILogger logger, string address);
}
