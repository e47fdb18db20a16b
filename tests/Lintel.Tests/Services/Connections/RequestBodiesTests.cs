using System.IO.Pipelines;
using System.Net;
using System.Text;
using Lintel.Services.Connections;

namespace Lintel.Tests.Services.Connections;

/// <summary>
/// Request bodies over SocketsHttpHandler where time runs as the test wants: on a connection that answers within the write of the head.
/// </summary>
public sealed class RequestBodiesTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Response_ThatComesWithTheHeadsWrite_IsNotHeldUntilTheBodyEnds()
    {
        await using var connection = new PromptServer();
        using var client = new HttpMessageInvoker(
            new RequestBodies(new SocketsHttpHandler { ConnectCallback = (_, _) => new(new Http1Stream(connection)) })
        );
        using (var first = new HttpRequestMessage(HttpMethod.Get, "http://service/"))
        using (await client.SendAsync(first, None))
        {
            // The handler now reads ahead on the idle connection: it has the next response as soon as it is there.
        }

        var body = new Pipe();
        using var second = new HttpRequestMessage(HttpMethod.Post, "http://service/")
        {
            Content = new StreamContent(body.Reader.AsStream()),
        };
        using var response = await client.SendAsync(second, None).WaitAsync(TimeSpan.FromSeconds(30), None);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.True(response.Headers.ConnectionClose); // the body goes on, and nobody knows for how long
        await body.Writer.CompleteAsync();
    }

    /// <summary>A connection to a service that answers a head before the write of it returns: the reader has run on by then.</summary>
    private sealed class PromptServer : SequentialStream
    {
        private readonly Pipe _answers = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _answers.Reader.AsStream().ReadAsync(buffer, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var text = Encoding.ASCII.GetString(buffer.Span);
            if (text.StartsWith("GET ", StringComparison.Ordinal))
                await _answers.Writer.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray(), cancellationToken);
            else if (text.StartsWith("POST ", StringComparison.Ordinal))
                await _answers.Writer.WriteAsync("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"u8.ToArray(), cancellationToken);
        }

        public override void Flush()
        {
            // nothing is held back
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
