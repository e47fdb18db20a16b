using System.Collections.Concurrent;

namespace Lintel.Services.Connections;

/// <summary>
/// A service's HTTP/2 connections. SocketsHttpHandler assigns every new request to the existing connection, including one on which the
/// instance has stopped responding, until that exceeds its lifetime. Here, a request that was canceled without a response, while no other
/// request to that instance received one, makes the next request use a new connection. Requests in flight continue on the old one.
/// </summary>
/// <param name="create">Creates a handler with its own connections.</param>
/// <param name="time">The clock.</param>
/// <remarks>Thread rule: any thread; an instance's handlers change under its lock, and are read without it.</remarks>
internal sealed class Http2Connections(Func<HttpMessageHandler> create, TimeProvider time) : HttpMessageHandler
{
    /// <summary>A shorter wait does not count as silence: a hedged call that lost, a page that was closed.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(string Host, int Port), Target> _targets = new();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var address = request.RequestUri!;
        var target = _targets.GetOrAdd((address.Host, address.Port), static (_, create) => new Target(create), create);
        var connections = target.Current;
        var (started, answers) = (time.GetTimestamp(), connections.Answers);
        try
        {
            var response = await connections.Invoker.SendAsync(request, cancellationToken).ConfigureAwait(false);
            connections.Answered();
            return response;
        }
        catch (OperationCanceledException) when (answers == connections.Answers && time.GetElapsedTime(started) >= Silence)
        {
            target.Replace(connections);
            throw;
        }
    }

    /// <summary>
    /// Removes an instance: its connections close by themselves after its last requests, as replaced ones do. One that comes back gets new
    /// ones.
    /// </summary>
    public void Forget(string host, int port)
    {
        foreach (var key in _targets.Keys.Where(t => t.Port == port && t.Host.Trim('[', ']') == host))
            _targets.TryRemove(key, out _);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var target in _targets.Values)
                target.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>An instance: the connections for new requests, while those of earlier requests may still be open.</summary>
    private sealed class Target(Func<HttpMessageHandler> create) : IDisposable
    {
        private readonly Lock _lock = new();

        /// <summary>
        /// Replaced handlers close their connections by themselves after these have been idle for long enough, and are then collected.
        /// Disposing them would cut off the streams that are still active.
        /// </summary>
        private readonly List<WeakReference<Connections>> _replaced = [];
        private volatile Connections _current = new(create());

        public Connections Current => _current;

        public void Replace(Connections silent)
        {
            lock (_lock)
            {
                if (_current != silent)
                    return;
                _current = new Connections(create());
                _replaced.RemoveAll(l => !l.TryGetTarget(out _));
                _replaced.Add(new WeakReference<Connections>(silent));
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _current.Invoker.Dispose();
                foreach (var replaced in _replaced)
                {
                    if (replaced.TryGetTarget(out var connections))
                        connections.Invoker.Dispose();
                }
            }
        }
    }

    /// <summary>The connections of one handler.</summary>
    private sealed class Connections(HttpMessageHandler handler)
    {
        private int _answers;

        public HttpMessageInvoker Invoker { get; } = new(handler, disposeHandler: true);

        /// <summary>The number of responses received, to any request.</summary>
        public int Answers => Volatile.Read(ref _answers);

        public void Answered() => Interlocked.Increment(ref _answers);
    }
}
