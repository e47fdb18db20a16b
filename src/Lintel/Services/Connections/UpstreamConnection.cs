using System.Net.Sockets;

namespace Lintel.Services.Connections;

/// <summary>The number of connections to one address.</summary>
internal sealed class ConnectionCount
{
    private int _value;

    public int Value => Volatile.Read(ref _value);

    public void Add(int change) => Interlocked.Add(ref _value, change);
}

/// <summary>
/// A connection that is counted while it is open. Derived from <see cref="NetworkStream"/>, because the HTTP handler checks for that type.
/// </summary>
internal sealed class UpstreamConnection : NetworkStream
{
    private readonly ConnectionCount _count;
    private int _isClosed;

    public UpstreamConnection(Socket socket, ConnectionCount count)
        : base(socket, ownsSocket: true)
    {
        _count = count;
        count.Add(1);
    }

    protected override void Dispose(bool disposing)
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
            _count.Add(-1);
        base.Dispose(disposing);
    }
}
