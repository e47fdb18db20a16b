using System.Collections.Concurrent;

namespace Lintel.Services.Connections;

/// <summary>
/// A service's HTTP/2 connections. SocketsHttpHandler gives every new request the connection that it has, also one on which the instance
/// has fallen silent, until that is too old. Here a request that waited in vain, while no other one of that instance was answered, is the
/// last one of its connection: the next gets a new one. Requests under way go on where they are.
/// </summary>
/// <param name="create">Makes a handler, which has connections of its own.</param>
/// <param name="time">The clock.</param>
/// <remarks>Thread rule: any thread; an instance's handlers change under its lock, and are read without it.</remarks>
internal sealed class Http2Connections(Func<HttpMessageHandler> create, TimeProvider time) : HttpMessageHandler
{
    /// <summary>Who leaves sooner has not waited: a hedged call that lost, a page that was closed.</summary>
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
            target.Leave(connections);
            throw;
        }
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

    /// <summary>An instance: the connections that new requests get, while those of requests before may live on.</summary>
    private sealed class Target(Func<HttpMessageHandler> create) : IDisposable
    {
        private readonly Lock _lock = new();

        /// <summary>
        /// Handlers that were left close their connections by themselves, when those are idle for long enough, and are forgotten then.
        /// Disposed of, they would cut off the streams that still run.
        /// </summary>
        private readonly List<WeakReference<Connections>> _left = [];
        private volatile Connections _current = new(create());

        public Connections Current => _current;

        public void Leave(Connections silent)
        {
            lock (_lock)
            {
                if (_current != silent)
                    return;
                _current = new Connections(create());
                _left.RemoveAll(l => !l.TryGetTarget(out _));
                _left.Add(new WeakReference<Connections>(silent));
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _current.Invoker.Dispose();
                foreach (var left in _left)
                {
                    if (left.TryGetTarget(out var connections))
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

        /// <summary>How many answers came, to whichever request.</summary>
        public int Answers => Volatile.Read(ref _answers);

        public void Answered() => Interlocked.Increment(ref _answers);
    }
}
