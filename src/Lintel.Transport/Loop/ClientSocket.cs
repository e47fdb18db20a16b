using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Transport.Loop;

/// <summary>The socket of a client's connection: its input and output are two halves of it.</summary>
internal sealed class ClientSocket : LoopSocket
{
    /// <summary>
    /// How long received data is discarded after the response and the end of the connection; after that a client that still sends may lose
    /// the response. nginx's <c>lingering_timeout</c> is 5 s.
    /// </summary>
    private static readonly TimeSpan LingerTime = TimeSpan.FromSeconds(2);

    /// <summary>The maximum amount of data that is discarded meanwhile: more is not a client that has not noticed yet.</summary>
    private const int LingerBytes = 1024 * 1024;

    private readonly LoopConnection _connection;
    private volatile Exception? _abort;
    private volatile bool _isLingering;
    private LingerTimer? _linger;
    private int _discarded;

    public ClientSocket(LoopConnection connection, EventLoop loop, Socket socket)
        : base(loop, socket)
    {
        _connection = connection;
        Input = new LoopInput(this);
        Output = new LoopOutput(this);
    }

    public LoopInput Input { get; }

    public LoopOutput Output { get; }

    public bool IsTunnel { get; set; }

    /// <summary>Why the connection was cut off here; <see langword="null"/> while it was not.</summary>
    public Exception? AbortReason => _abort;

    /// <summary>
    /// Receiving is shut down, which wakes the reader and the writer; the peer sees nothing before the reset sent by closing, and so never
    /// takes a truncated response for a complete one.
    /// </summary>
    public override void Abort(Exception? reason)
    {
        if (_abort is not null)
            return;
        _abort = reason ?? new ConnectionAbortedException();
        if (_isLingering)
            CloseNow();
        else
            ShutDown(SocketShutdown.Receive);
    }

    /// <summary>Sends the remaining data, and closes.</summary>
    public async ValueTask CloseAsync()
    {
        _linger = new LingerTimer(this);
        if (Output.UnflushedBytes > 0)
            Loop.Start(_linger, LingerTime);
        await Output.DrainAsync().ConfigureAwait(false);
        Input.Release();
        if (_abort is not null || IsReset)
        {
            CloseNow();
            return;
        }

        // A client that is still sending would be reset by a plain close, and might lose the answer: see it out, without anybody waiting.
        ShutDown(SocketShutdown.Send);
        _isLingering = true;
        Loop.Start(_linger, LingerTime);
        Discard();
    }

    public void CloseNow()
    {
        if (_linger is { } timer)
            Loop.Remove(timer);
        Close(resets: _abort is not null && !IsTunnel);
    }

    // The two halves' view of the protected parts.
    public new int TryReceive(Span<byte> buffer) => base.TryReceive(buffer);

    public new bool BeginReceive() => base.BeginReceive();

    public new int TrySend(ReadOnlySpan<byte> buffer) => base.TrySend(buffer);

    public new bool BeginSend() => base.BeginSend();

    public void WakeInput() => WakeReader();

    protected override void OnReadable()
    {
        if (_isLingering)
            Discard();
        else
            Input.BecameReadable();
    }

    protected override void OnWritable() => Output.BecameWritable();

    protected override void OnEnded()
    {
        // A client that has said all it had to say still listens.
        if (IsReset || _abort is not null)
            _connection.NotifyClosed();
    }

    private void Discard()
    {
        Span<byte> nowhere = stackalloc byte[4096];
        try
        {
            do
            {
                int count;
                do
                {
                    count = TryReceive(nowhere);
                    _discarded += Math.Max(0, count);
                } while (count > 0 && _discarded < LingerBytes && BeginReceive());
                if (count == 0 || _discarded >= LingerBytes)
                {
                    CloseNow();
                    return;
                }
            } while (BeginReceive());
        }
        catch (SocketException)
        {
            CloseNow();
        }
    }

    private sealed class LingerTimer(ClientSocket socket) : LoopTimer
    {
        protected internal override void Fire() => socket.Abort(null);
    }
}
