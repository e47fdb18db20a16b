using System.Net;
using System.Net.Sockets;

namespace Lintel.Services.Connections;

/// <summary>
/// Resolves the host names of services. The system's lookup blocks while its resolver does not respond, so it runs on dedicated threads,
/// never on those that serve requests.
/// </summary>
/// <remarks>
/// A name is looked up once for all waiting callers; each caller stops waiting when its own time is over. A result is used for
/// <see cref="Fresh"/> without another lookup. After that the name is looked up again, and while the resolver does not respond or fails,
/// the last good addresses are used for <see cref="Lasting"/> (RFC 8767); a resolver's response that the name does not exist applies at
/// once. Thread rule: everything from any thread.
/// </remarks>
/// <param name="lookup">Looks up the addresses of a name; may block.</param>
/// <param name="time">The clock.</param>
internal sealed class NameResolver(Func<string, IPAddress[]> lookup, TimeProvider time)
{
    /// <summary>
    /// The maximum number of concurrent lookups; further ones are queued. The threads exist only while there are lookups.
    /// </summary>
    public const int MaxThreads = 16;

    /// <summary>
    /// How long addresses are used without another lookup. The system's own lookup does not return a TTL; Envoy also looks up every 5 s.
    /// </summary>
    public static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    /// <summary>How long a failure is returned to all callers without another lookup.</summary>
    public static readonly TimeSpan Failed = TimeSpan.FromSeconds(1);

    /// <summary>How long a caller waits for newer addresses if there are old ones.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    /// <summary>How long addresses are used if their name can no longer be looked up.</summary>
    public static readonly TimeSpan Lasting = TimeSpan.FromHours(1);

    /// <summary>
    /// The age at which a lookup without a response gets a second one beside it: the query may have been lost, and the system repeats it
    /// only after 5 s.
    /// </summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Name> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly Queue<Name> _waiting = [];
    private int _threads;

    /// <summary>The system's resolver.</summary>
    /// <param name="time">The clock.</param>
    public static NameResolver OfSystem(TimeProvider time) => new(Dns.GetHostAddresses, time);

    /// <summary>Resolves the addresses of a name; an IP address resolves to itself.</summary>
    /// <param name="host">The name.</param>
    /// <param name="cancellation">Cancels the wait, not the lookup.</param>
    /// <exception cref="SocketException">No address is available.</exception>
    public ValueTask<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(host, out var address))
            return new([address]);
        lock (_lock)
        {
            var name = Find_NeedsLock(host);
            var known = name.Known(time);
            if (known is not null && name.Age(time) < Fresh)
                return new(known);
            if (name.Pending is null && name.Failure is { } failure && time.GetElapsedTime(name.FailedAt) < Failed)
                return known is not null ? new(known) : ValueTask.FromException<IPAddress[]>(failure);
            Ask_NeedsLock(name);
            var pending = name.Pending!.Task;
            if (known is null)
                return new(pending.WaitAsync(cancellation));
            return time.GetElapsedTime(name.RequestedAt) < Patience ? WaitAsync(pending, known, cancellation) : new(known);
        }
    }

    private async ValueTask<IPAddress[]> WaitAsync(Task<IPAddress[]> pending, IPAddress[] known, CancellationToken cancellation)
    {
        try
        {
            return await pending.WaitAsync(Patience, time, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException || (e is SocketException failure && !IsFinal(failure)))
        {
            return known;
        }
    }

    /// <summary>Whether the resolver has responded that the name does not exist.</summary>
    private static bool IsFinal(SocketException failure) => failure.SocketErrorCode == SocketError.HostNotFound;

    private Name Find_NeedsLock(string host)
    {
        if (_names.TryGetValue(host, out var name))
            return name;

        // Names come from configurations: those of old configurations are removed as others are added.
        foreach (
            var (old, unused) in _names
                .Where(n => n.Value.Pending is null && n.Value.Known(time) is null && time.GetElapsedTime(n.Value.FailedAt) > Lasting)
                .ToList()
        )
            _names.Remove(old);
        return _names[host] = new Name(host);
    }

    private void Ask_NeedsLock(Name name)
    {
        if (name.Pending is null)
        {
            name.Pending = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
            name.RequestedAt = name.LookedUpAt = time.GetTimestamp();
        }
        else if (_threads == MaxThreads || time.GetElapsedTime(name.LookedUpAt) < Silence)
        {
            return;
        }

        if (name.Lookups == 2)
            return;
        name.Lookups++;
        name.LookedUpAt = time.GetTimestamp();
        _waiting.Enqueue(name);
        if (_threads < MaxThreads)
            StartThread_NeedsLock();
    }

    private void StartThread_NeedsLock()
    {
        try
        {
            _threads++;
            new Thread(Run) { IsBackground = true, Name = "lintel names" }.UnsafeStart();
        }
        catch (OutOfMemoryException)
        {
            // The system provides no more threads. Another thread takes the lookup, or it fails.
            if (--_threads > 0)
                return;
            while (_waiting.TryDequeue(out var name))
                End_NeedsLock(name, null, new SocketException((int)SocketError.TryAgain));
        }
    }

    private void Run()
    {
        while (true)
        {
            Name? name;
            lock (_lock)
            {
                if (!_waiting.TryDequeue(out name))
                {
                    _threads--;
                    return;
                }
            }

            var (addresses, failure) = LookUp(name.Host);
            lock (_lock)
                End_NeedsLock(name, addresses, failure);
        }
    }

    private (IPAddress[]? Addresses, SocketException? Failure) LookUp(string host)
    {
        try
        {
            var addresses = lookup(host);
            return addresses.Length > 0 ? (addresses, null) : (null, new SocketException((int)SocketError.HostNotFound));
        }
        catch (SocketException e)
        {
            return (null, WithoutSocket() ?? e);
        }
        catch (Exception)
        {
            return (null, new SocketException((int)SocketError.NoRecovery)); // an invalid name
        }
    }

    /// <summary>
    /// The error of a lookup that cannot get a socket: the lookup itself reports only that the resolver does not respond.
    /// </summary>
    private static SocketException? WithoutSocket()
    {
        try
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            return null;
        }
        catch (SocketException e)
        {
            return e;
        }
    }

    private void End_NeedsLock(Name name, IPAddress[]? addresses, SocketException? failure)
    {
        name.Lookups--;
        if (addresses is not null)
        {
            name.Addresses = addresses;
            name.FoundAt = time.GetTimestamp();
            name.Failure = null;
            name.Pending?.TrySetResult(addresses);
            name.Pending = null;
        }
        else if (name.Pending is not null && name.Lookups == 0)
        {
            name.Failure = failure;
            name.FailedAt = time.GetTimestamp();
            if (IsFinal(failure!))
                name.Addresses = null;
            name.Pending.TrySetException(failure!);
            _ = name.Pending.Task.Exception; // observed: the callers may have stopped waiting
            name.Pending = null;
        }
    }

    /// <summary>The state of a name.</summary>
    private sealed class Name(string host)
    {
        public string Host => host;

        public IPAddress[]? Addresses { get; set; }

        public long FoundAt { get; set; }

        public SocketException? Failure { get; set; }

        public long FailedAt { get; set; }

        /// <summary>The pending result for all waiting callers; <see langword="null"/> if there are none.</summary>
        public TaskCompletionSource<IPAddress[]>? Pending { get; set; }

        /// <summary>When the first of them started to wait.</summary>
        public long RequestedAt { get; set; }

        /// <summary>When the last lookup was started.</summary>
        public long LookedUpAt { get; set; }

        /// <summary>Lookups that are queued or running: at most two.</summary>
        public int Lookups { get; set; }

        public IPAddress[]? Known(TimeProvider time) => Age(time) < Lasting ? Addresses : null;

        public TimeSpan Age(TimeProvider time) => time.GetElapsedTime(FoundAt);
    }
}
