using System.Net;
using System.Net.Sockets;
using Lintel.Listeners;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Listeners;

public sealed class AcceptTransportTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly AcceptTransport _transport;
    private IConnectionListener? _listener;

    public AcceptTransportTests() =>
        _transport = new AcceptTransport(DescriptorReserve.None(), _time, NullLogger<AcceptTransport>.Instance, null);

    public ValueTask DisposeAsync() => _listener?.DisposeAsync() ?? default;

    /// <summary>
    /// A server that no longer accepts looks healthy from the inside: its queue takes connections that are never served.
    /// </summary>
    [Fact]
    public async Task Listener_ThatNobodyAcceptsFromAnyMore_IsAProblem()
    {
        _listener = await _transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(_listener.EndPoint);
        await using var accepted = await _listener.AcceptAsync();
        Assert.NotNull(accepted);
        _time.Advance(TimeSpan.FromSeconds(4));
        Assert.Null(_transport.Problem());
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Contains(_listener.EndPoint.ToString()!, _transport.Problem(), StringComparison.Ordinal);

        var next = _listener.AcceptAsync();
        Assert.Null(_transport.Problem());
        await _listener.UnbindAsync();
        Assert.Null(await next);
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(_transport.Problem());
    }

    [Fact]
    public async Task Listener_ThatWaitsForAClient_IsNoProblemHoweverLong()
    {
        _listener = await _transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        var next = _listener.AcceptAsync();
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Null(_transport.Problem());
        await _listener.UnbindAsync();
        Assert.Null(await next);
    }
}
