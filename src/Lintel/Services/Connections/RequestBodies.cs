using System.Net;

namespace Lintel.Services.Connections;

/// <summary>
/// Sends request bodies with lower latency than SocketsHttpHandler alone: each piece of a streamed body at once, and over HTTP/1.1 without
/// waiting for its end before the response is read.
/// </summary>
internal sealed class RequestBodies(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>A body up to this length is sent in a moment and is left to the handler.</summary>
    public const int SmallBody = 64 * 1024;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        UpgradeAsSent.Restore(request);
        ContentFields.Restore(request);
        if (request.Content is not { } content || content.Headers.ContentLength <= SmallBody)
            return base.SendAsync(request, cancellationToken);
        if (request.Version.Major == 1)
            return SendHttp1Async(request, content, cancellationToken);
        if (content.Headers.ContentLength is null)
            request.Content = new PromptContent(content);
        return base.SendAsync(request, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendHttp1Async(
        HttpRequestMessage request,
        HttpContent content,
        CancellationToken cancellationToken
    )
    {
        var exchange = Http1Exchange.Current.Value ?? new Http1Exchange(null);
        Http1Exchange.Current.Value = exchange;
        exchange.StreamsBody = true;
        request.Content = new DuplexContent(content, exchange);
        return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>A content that replaces another one.</summary>
    private abstract class Replacement : HttpContent
    {
        protected Replacement(HttpContent original)
        {
            Original = original;
            foreach (var (name, values) in original.Headers.NonValidated)
                Headers.TryAddWithoutValidation(name, values);
        }

        protected HttpContent Original { get; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected abstract override Task SerializeToStreamAsync(
            Stream stream,
            TransportContext? context,
            CancellationToken cancellationToken
        );

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                Original.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>Over HTTP/2: flushes each piece, which the handler would keep in its buffer until more arrives.</summary>
    private sealed class PromptContent(HttpContent original) : Replacement(original)
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            // The head is sent first: a client may wait for the response's head before it sends the body.
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
            await Original
                .CopyToAsync(new PieceStream((piece, cancellation) => WriteAsync(stream, piece, cancellation)), context, cancellationToken)
                .ConfigureAwait(false);
        }

        private static async ValueTask WriteAsync(Stream stream, ReadOnlyMemory<byte> piece, CancellationToken cancellation)
        {
            await stream.WriteAsync(piece, cancellation).ConfigureAwait(false);
            await stream.FlushAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Over HTTP/1.1: the handler reads nothing before the body was sent. The body therefore bypasses it and is written directly to the
    /// connection; for the handler, the body is complete when the response arrives.
    /// </summary>
    private sealed class DuplexContent(HttpContent original, Http1Exchange exchange) : Replacement(original)
    {
        // Written to a stream that discards it.
        private static readonly byte[] Nothing = new byte[64 * 1024];

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.FlushAsync(cancellationToken).ConfigureAwait(false); // the head, which makes the connection known
            var connection = exchange.Stream ?? throw new InvalidOperationException("the request's head was not written");
            var body = new Http1Body(connection, Headers.ContentLength, exchange.Trailers);
            var sending = SendAsync(body, context, cancellationToken);
            var answered = connection.WatchAsync();
            if (await Task.WhenAny(sending, answered).ConfigureAwait(false) == sending)
                await sending.ConfigureAwait(false);
            else
                ObserveLater(sending);

            // The number of bytes that the handler expects to be written.
            connection.SetUnsentBytes(Headers.ContentLength ?? Http1Body.LastChunk.Length);
            for (var left = Headers.ContentLength ?? 0; left > 0; left -= Math.Min(left, Nothing.Length))
                await stream.WriteAsync(Nothing.AsMemory(0, (int)Math.Min(left, Nothing.Length)), cancellationToken).ConfigureAwait(false);
        }

        private async Task SendAsync(Http1Body body, TransportContext? context, CancellationToken cancellationToken)
        {
            await Original.CopyToAsync(new PieceStream(body.WriteAsync), context, cancellationToken).ConfigureAwait(false);
            await body.EndAsync(cancellationToken).ConfigureAwait(false);
        }

        /// <summary>Observes the exception: the forwarder already has the result of its own copying.</summary>
        private static void ObserveLater(Task sending) =>
            sending.ContinueWith(
                static t => t.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
    }

    /// <summary>Forwards each piece that is written.</summary>
    private sealed class PieceStream(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write) : SequentialStream
    {
        public override bool CanRead => false;

        public override bool CanWrite => true;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            write(buffer, cancellationToken);

        /// <summary>Does nothing: every write flushes.</summary>
        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush() => throw new NotSupportedException("bodies are written asynchronously");
    }
}
