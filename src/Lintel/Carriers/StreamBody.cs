using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Carriers;

/// <summary>
/// The body of an HTTP/2 or HTTP/3 request. It completes for its reader only after its trailers have been validated; if they are invalid,
/// the request is malformed and its stream is reset.
/// </summary>
/// <remarks>
/// The last piece of a body of known length is held back until the end of the stream, which usually arrives with it. A service that counts
/// bytes, as in HTTP/1.1, would otherwise consider the request complete before that. Thread rule: one reader at a time.
/// </remarks>
internal sealed class StreamBody : PipeReader, IRequestBodyPipeFeature
{
    // RFC 9113 section 7 and RFC 9114 section 8.1
    private const int Http2ProtocolError = 0x1;
    private const int Http3MessageError = 0x10e;

    private readonly HttpContext _context;
    private readonly IHttpRequestFeature _request;
    private readonly IRequestBodyPipeFeature? _server;
    private readonly PipeReader _inner;
    private readonly Stream _stream;
    private readonly RequestFraming _framing = new();
    private readonly long? _length;
    private ReadResult _shown;
    private long _consumed;
    private bool _isChecked;

    private StreamBody(HttpContext context)
    {
        _context = context;
        _request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
        _server = context.Features.Get<IRequestBodyPipeFeature>();
        _inner = context.Request.BodyReader;
        _length = context.Request.ContentLength;
        _stream = AsStream(leaveOpen: true);
        if (context.Features.Get<IHttpResetFeature>() is { } reset)
            _framing.Reset = () => reset.Reset(HttpProtocol.IsHttp3(_request.Protocol) ? Http3MessageError : Http2ProtocolError);
    }

    /// <summary>The reader of the request's stream, which may have been replaced.</summary>
    public PipeReader Reader => _server is null || ReferenceEquals(_request.Body, _stream) ? this : _server.Reader;

    /// <summary>Replaces the request's body.</summary>
    /// <returns>The framing information in which a refusal is recorded.</returns>
    public static RequestFraming Guard(HttpContext context)
    {
        var body = new StreamBody(context);
        context.Request.Body = body._stream;
        context.Features.Set<IRequestBodyPipeFeature>(body);
        return body._framing;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (TryShow(await _inner.ReadAsync(cancellationToken).ConfigureAwait(false)))
                return _shown;
        }
    }

    public override bool TryRead(out ReadResult result)
    {
        var shows = _inner.TryRead(out result) && TryShow(result);
        result = shows ? _shown : default;
        return shows;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _consumed += _shown.Buffer.Slice(0, consumed).Length;
        _inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    /// <summary>Accepts what was read from the connection.</summary>
    /// <returns>False if there is no data to return yet.</returns>
    private bool TryShow(in ReadResult read)
    {
        if (read.IsCompleted)
            CheckTrailers(read);
        else if (!read.IsCanceled && _consumed + read.Buffer.Length == _length)
        {
            _inner.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            return false;
        }

        _shown = read;
        return true;
    }

    private void CheckTrailers(in ReadResult read)
    {
        if (_isChecked)
            return;
        _isChecked = true;
        if (_context.Features.Get<IHttpRequestTrailersFeature>() is not { Available: true } feature)
            return;
        foreach (var (name, values) in feature.Trailers)
        {
            if (FieldSyntax.Problem(name, values) is not { } problem)
                continue;
            _inner.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            _framing.Refusal = new GatewayError(GatewayErrorKind.BadFraming, "in the trailers, " + problem);
            throw new BadHttpRequestException(problem);
        }
    }
}
