using Lintel.Services.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Forwarding;

/// <summary>
/// Counts the bytes of a connection or stream that has switched protocols: WebSocket over HTTP/1.1 (RFC 6455) and over HTTP/2 (RFC 8441).
/// </summary>
/// <remarks>
/// The end of the client's side ends both sides, as in <see cref="Tunnel"/>: YARP alone would wait for the service's end until the idle
/// timeout.
/// </remarks>
internal sealed class CountedTunnel : IHttpUpgradeFeature, IHttpExtendedConnectFeature, IDisposable
{
    private readonly CancellationTokenSource _ended;
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpExtendedConnectFeature? _connect;
    private long _received;
    private long _sent;

    private CountedTunnel(IHttpUpgradeFeature? upgrade, IHttpExtendedConnectFeature? connect, CancellationToken deadline)
    {
        _ended = CancellationTokenSource.CreateLinkedTokenSource(deadline);
        _upgrade = upgrade;
        _connect = connect;
    }

    /// <summary>Bytes from the client.</summary>
    public long Received => Interlocked.Read(ref _received);

    /// <summary>Bytes to the client.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Canceled with the deadline, and when the client has ended its side.</summary>
    public CancellationToken Token => _ended.Token;

    /// <summary>Whether the client has ended its side.</summary>
    public bool HasEnded { get; private set; }

    public bool IsUpgradableRequest => _upgrade is { IsUpgradableRequest: true };

    public bool IsExtendedConnect => _connect is { IsExtendedConnect: true };

    public string? Protocol => _connect?.Protocol;

    /// <summary>
    /// Replaces the request's own feature with a counting one; <see langword="null"/> for a request that cannot switch protocols.
    /// </summary>
    public static CountedTunnel? CountFor(HttpContext context, Deadline deadline)
    {
        if (context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade)
        {
            var tunnel = new CountedTunnel(upgrade, null, deadline.Token);
            context.Features.Set<IHttpUpgradeFeature>(tunnel);
            return tunnel;
        }

        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            var tunnel = new CountedTunnel(null, connect, deadline.Token);
            context.Features.Set<IHttpExtendedConnectFeature>(tunnel);
            return tunnel;
        }

        return null;
    }

    public void Dispose() => _ended.Dispose();

    public async Task<Stream> UpgradeAsync() => new Counted(await _upgrade!.UpgradeAsync().ConfigureAwait(false), this);

    public async ValueTask<Stream> AcceptAsync() => new Counted(await _connect!.AcceptAsync().ConfigureAwait(false), this);

    private sealed class Counted(Stream inner, CountedTunnel counts) : SequentialStream
    {
        public override bool CanRead => inner.CanRead;

        public override bool CanWrite => inner.CanWrite;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref counts._received, count);
            if (count == 0 && !buffer.IsEmpty && !counts.HasEnded)
            {
                counts.HasEnded = true;
                await counts._ended.CancelAsync().ConfigureAwait(false);
            }

            return count;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref counts._sent, buffer.Length);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override void Flush() => inner.Flush();

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
