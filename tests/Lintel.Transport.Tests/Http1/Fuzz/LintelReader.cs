using System.Net.Sockets;
using Lintel.Transport.Http1;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>
/// <see cref="Http1Connection"/> over bytes in memory. A connection that is kept reads the next answer too, with what it remembers of the
/// last.
/// </summary>
/// <remarks>One at a time. The connection stands beside a socket, as one with TLS does; the socket is real, silent, and shared.</remarks>
internal sealed class LintelReader : IDisposable
{
    private readonly Http1Options _options;
    private readonly Http1Shard _shard;
    private readonly LoopStream _socket;
    private readonly byte[] _buffer = new byte[4096];
    private SegmentedStream _stream = new();
    private Http1Connection? _connection;

    public LintelReader(Listening listening, int maxHead = 64 * 1024)
    {
        _options = new Http1Options { MaxHead = maxHead };
        _shard = new Http1Shard(listening.Loop, (_, _) => throw new InvalidOperationException(), _options);
        _socket = listening.Connect();
    }

    public void Dispose()
    {
        _shard.Dispose();
        _socket.Dispose();
        _stream.Dispose();
    }

    /// <param name="answer">What comes.</param>
    /// <param name="cuts">In which pieces.</param>
    /// <param name="room">For how many bytes of the body there is room at a time.</param>
    public Reading Read(Answer answer, int[] cuts, int room)
    {
        if (_connection is null)
        {
            _stream = new SegmentedStream();
            _connection = new Http1Connection(_shard, _stream, _socket, _options, EventLoop.Now);
        }

        _stream.Load(answer.Bytes, cuts);
        var exchange = Exchange.RunAsync(_connection, answer.IsHead, _buffer.AsMemory(0, room));
        if (!exchange.IsCompleted)
            throw new InvalidOperationException("It waits for nothing.");
        var reading = exchange.GetAwaiter().GetResult();
        _connection.Release();
        _connection = _shard.TryRent(isChecked: false);
        if (_connection is null != _stream.IsDisposed)
            throw new InvalidOperationException("A connection that is not kept stays open.");

        // What comes after the answer is noticed by the pool, at once or as soon as it comes: Http1PoolTests.
        return reading with
        {
            IsKept = _connection is not null && _stream.IsAtEnd,
        };
    }

    /// <summary>A loop, and a socket that connects to it in silence.</summary>
    public sealed class Listening : IDisposable
    {
        private readonly LoopGroup _loops = new(1, NullLogger<LoopGroup>.Instance);
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly string _path = Path.Combine(Path.GetTempPath(), $"lintel-fuzz-{Guid.NewGuid():N}.sock");

        public Listening()
        {
            _listener.Bind(new UnixDomainSocketEndPoint(_path));
            _listener.Listen(64);
        }

        public LoopGroup Loops => _loops;

        public EventLoop Loop => _loops.Loops[0];

        public LoopStream Connect() =>
            LoopStream.ConnectAsync(Loop, _listener.LocalEndPoint!, CancellationToken.None).AsTask().GetAwaiter().GetResult();

        public void Dispose()
        {
            _listener.Dispose();
            _loops.Dispose();
            File.Delete(_path);
        }
    }
}
