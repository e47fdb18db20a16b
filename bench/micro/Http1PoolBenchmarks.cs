using System.Net;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Benchmarks;

/// <summary>An idle connection is rented and returned, on the loop's own thread as for requests.</summary>
public class Http1PoolBenchmarks
{
    private const int Rents = 10_000;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _accepted = [];
    private LoopGroup _loops = null!;
    private Http1Pool _pool = null!;
    private Work _work = null!;

    /// <summary>How many connections lie in the pool.</summary>
    [Params(1, 64)]
    public int Kept { get; set; }

    [GlobalSetup]
    public async Task Fill()
    {
        _listener.Start();
        _loops = new LoopGroup(1, NullLogger<LoopGroup>.Instance);
        _pool = new Http1Pool(_loops, ConnectAsync, new Http1Options());
        var rented = new List<Http1Connection>();
        for (var i = 0; i < Kept; i++)
        {
            rented.Add(await _pool.RentAsync(_loops.Loops[0], isFresh: true, CancellationToken.None).ConfigureAwait(false));
            _accepted.Add(await _listener.AcceptSocketAsync().ConfigureAwait(false));
        }

        for (var i = 0; i < Kept; i++)
        {
            await ExchangeAsync(rented[i], _accepted[i]).ConfigureAwait(false); // only what has carried an exchange is kept
            rented[i].Release();
        }

        _work = new Work(_pool, _loops.Loops[0]);
    }

    [GlobalCleanup]
    public async Task Close()
    {
        await Task.Yield(); // off the loop, which cannot wait for itself
        _pool.Dispose();
        await Task.Run(_loops.Dispose).ConfigureAwait(false);
        _accepted.ForEach(s => s.Dispose());
        _listener.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Rents)]
    public void RentAndGiveBack() => _work.RunOnLoop();

    private async ValueTask<EstablishedConnection> ConnectAsync(EventLoop loop, CancellationToken cancellation)
    {
        var socket = await LoopStream.ConnectAsync(loop, _listener.LocalEndpoint, cancellation).ConfigureAwait(false);
        return new EstablishedConnection(socket, socket);
    }

    private static async Task ExchangeAsync(Http1Connection connection, Socket server)
    {
        connection.Begin("GET", "", "/");
        connection.AddField("Host", "t");
        connection.EndHead();
        await connection.FlushAsync().ConfigureAwait(false);
        await server.ReceiveAsync(new byte[1024]).ConfigureAwait(false);
        await server.SendAsync("HTTP/1.1 204 No Content\r\n\r\n"u8.ToArray()).ConfigureAwait(false);
        while (!connection.TryReadHead())
            await connection.WaitAsync();
    }

    private sealed class Work(Http1Pool pool, EventLoop loop) : ILoopWork
    {
        private readonly ManualResetEventSlim _done = new();
        private bool _isEmpty;

        public void RunOnLoop()
        {
            _done.Reset();
            loop.Post(this);
            _done.Wait();
            if (_isEmpty)
                throw new InvalidOperationException("the pool was empty");
        }

        public void Run()
        {
            for (var i = 0; i < Rents && !_isEmpty; i++)
            {
                if (pool.TryRent(loop) is { } connection)
                    connection.Release();
                else
                    _isEmpty = true;
            }

            _done.Set();
        }
    }
}
