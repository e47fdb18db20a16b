using System.Net;
using System.Net.Sockets;
using System.Text;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Services.Connections;

/// <summary>
/// The same event on the wire has the same kind whoever reads it: the gateway's own HTTP/1.1 client or .NET's handler, for a forwarded
/// request or a call.
/// </summary>
public sealed class FailureOnTheWireTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly LoopGroup? _loops = LoopGroup.IsSupported ? new LoopGroup(1, NullLogger<LoopGroup>.Instance) : null;
    private readonly string _address;

    public FailureOnTheWireTests()
    {
        _listener.Start();
        _address = _listener.LocalEndpoint.ToString()!;
    }

    public void Dispose()
    {
        _listener.Dispose();
        _loops?.Dispose();
    }

    /// <summary>What the service sends; how the connection ends then; the kinds of a forwarded request and of a call.</summary>
    public static TheoryData<string, string, string, string> Events { get; } =
        new()
        {
            { "", "close", "connection-terminated", "connection-terminated" },
            { "", "reset", "connection-terminated", "connection-terminated" },
            { "HTTP/1.1 200 OK\r\nContent-Ty", "close", "connection-terminated", "connection-terminated" },
            { "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", "close", "connection-terminated", "connection-terminated" },
            { "SSH-2.0-OpenSSH_9.6 and more of it\r\n\r\n", "stay", "protocol-error", "protocol-error" },
            { "SSH-2.0-OpenSSH_9.6\r\n\r\n", "close", "protocol-error", "protocol-error" },
            {
                "HTTP/1.1 200 OK\r\nX: " + new string('x', 100_000) + "\r\n\r\n",
                "stay",
                "response-head-too-large",
                "response-head-too-large"
            },
            { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", "close", "response-incomplete", "response-incomplete" },
            { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", "reset", "response-incomplete", "response-incomplete" },
            { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n", "close", "response-incomplete", "response-incomplete" },
            {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\nzz\r\n",
                "stay",
                "response-incomplete",
                "response-incomplete"
            },
            // Time: a forwarded request's limits are for the head and for standing still, a call's is for the whole answer.
            { "", "stay", "response-timeout", "response-timeout" },
            { "HTTP/1.1 200 OK\r\nContent-Ty", "stay", "response-timeout", "response-timeout" },
            { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", "stay", "idle-timeout", "response-timeout" },
        };

    [Theory]
    [MemberData(nameof(Events))]
    public async Task Event_OfEachStack_HasTheSameKind(string answer, string end, string forwarded, string called)
    {
        var isLate = called == "response-timeout";
        foreach (var (path, expected) in ((string, string)[])[("/forward", forwarded), ("/call", called)])
        {
            Assert.Equal((path, "handler", expected), (path, "handler", await KindAsync(path, null, answer, end, isLate)));
            if (_loops is not null)
                Assert.Equal((path, "client", expected), (path, "client", await KindAsync(path, _loops, answer, end, isLate)));
        }
    }

    [Theory]
    [InlineData("/forward")]
    [InlineData("/call")]
    public async Task Refusal_OfEachStack_HasTheSameKind(string path)
    {
        _listener.Stop();
        Assert.Equal("connection-refused", await KindAsync(path, null, "", ""));
        if (_loops is not null)
            Assert.Equal("connection-refused", await KindAsync(path, _loops, "", ""));
    }

    private async Task<string> KindAsync(string path, LoopGroup? loops, string answer, string end, bool isLate = false)
    {
        var (head, idle) = isLate ? ("100ms", "200ms") : ("50s", "50s");
        using var gateway = new MemoryGateway(
            $$"""
            services: { s: { instances: ["http://{{_address}}"], timeouts: { request: {{head}}, idle: {{idle}} } } }
            routes:
              forward: { match: /forward, forward: s }
              call: { match: /call, compose: { deadline: 50s, calls: { x: { request: s/x, timeout: {{head}} } } } }
            """,
            loops: loops
        );
        using var over = new CancellationTokenSource();
        var serving = end.Length == 0 ? Task.CompletedTask : ServeAsync(answer, end, over.Token);
        await gateway.GetAsync(path);
        await over.CancelAsync();
        await serving;
        Assert.Equal(0, gateway.Busy);
        return Assert.Single(gateway.Failures);
    }

    /// <summary>Does the same with each connection: .NET's handler sends again what was not answered at all.</summary>
    private async Task ServeAsync(string answer, string end, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                using var socket = await _listener.AcceptSocketAsync(over);
                var buffer = new byte[4096];
                await socket.ReceiveAsync(buffer, over);
                for (var rest = Encoding.Latin1.GetBytes(answer).AsMemory(); !rest.IsEmpty; )
                    rest = rest[await socket.SendAsync(rest, over)..];
                if (end == "reset")
                    socket.LingerState = new LingerOption(true, 0);
                if (end == "stay")
                    _ = await socket.ReceiveAsync(buffer, over);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The gateway was the first to go.
            }
        }
    }
}
