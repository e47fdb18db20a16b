using System.Buffers.Binary;
using System.Text;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding.Grpc;

/// <summary>A gRPC call under way: how its client speaks, and how its end is told, whatever that end is.</summary>
internal sealed class GrpcCall
{
    private const string Accept = "Accept";

    private readonly Exchange _exchange;
    private readonly GrpcMediaType _request;
    private GrpcMediaType _response;
    private bool _translates;
    private bool _guards;

    private GrpcCall(Exchange exchange, GrpcMediaType media)
    {
        _exchange = exchange;
        _request = media;
        Timeout = GrpcTimeout.Parse(exchange.Request.Headers[GrpcTimeout.Header]);
    }

    /// <summary>What the client gives the call as a whole; <see langword="null"/> for no limit.</summary>
    public TimeSpan? Timeout { get; }

    /// <summary>A failure after the response's head. The client is told by the trailers.</summary>
    public GatewayError? Error { get; private set; }

    private bool IsText => _response.Dialect == GrpcDialect.WebText;

    /// <summary>The call that the request is; <see langword="null"/> for a request of another kind.</summary>
    public static GrpcCall? Of(Exchange exchange) =>
        GrpcMediaType.Of(exchange.Request) is { Dialect: not GrpcDialect.None } media ? new GrpcCall(exchange, media) : null;

    /// <summary>Makes plain gRPC of a gRPC-Web call. A plain one stays as it is.</summary>
    /// <returns>The body that stands in for the client's; <see langword="null"/> where that one needs no change.</returns>
    public RequestBody? Translate(UpstreamRequest request)
    {
        if (_request.Dialect == GrpcDialect.Plain)
            return null;
        _translates = true;
        _response = _request with { Dialect = AcceptedDialect() };
        var isText = _request.Dialect == GrpcDialect.WebText;
        var headers = request.Headers;
        headers.RemoveAll(h =>
            Is(h, "Content-Type") || Is(h, Accept) || Is(h, "TE") || Is(h, "X-Grpc-Web") || (isText && Is(h, "Content-Length"))
        );
        headers.Add(new("Content-Type", new GrpcMediaType(GrpcDialect.Plain, _request.Format).Text));
        headers.Add(new("TE", "trailers"));
        if (!isText)
            return null;
        _exchange.Request.ContentLength = null; // that of the base64 text
        return new Base64RequestBody(_exchange.Request);

        static bool Is(KeyValuePair<string, StringValues> header, string name) =>
            header.Key.Equals(name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Takes charge of a response whose headers are copied already: from here on its end is told in the client's dialect.
    /// </summary>
    public void Take(HttpResponseMessage response, Deadline deadline)
    {
        // Something that is not gRPC, the page of another proxy for instance, is passed on as it is.
        var media = GrpcMediaType.Of(_exchange.Response.ContentType);
        if (media.Dialect != GrpcDialect.Plain)
            return;
        if (_translates)
        {
            _response = _response with { Format = media.Format };
            _exchange.Response.ContentType = _response.Text;
            _exchange.Response.Headers.Remove("Trailer");
            _exchange.Response.ContentLength = null;
        }
        else if (Trailers() is null)
        {
            return;
        }

        _guards = true;
        if (_exchange.Response.Headers[GrpcAnswer.Status] is [{ } status, ..])
            Note(status);
        response.Content = new GrpcResponseContent(this, response.Content, _translates && IsText, deadline);
    }

    /// <summary>Writes the trailers, or in place of the service's own those that tell of a failure.</summary>
    /// <returns>Whether that is done; otherwise they pass as they are.</returns>
    public async ValueTask<bool> EndAsync(HttpResponseMessage response, Predicate<string> keeps)
    {
        var trailers = response.TrailingHeaders.NonValidated;
        if (Error is null && trailers.TryGetValues(GrpcAnswer.Status, out var status))
            Note(status.ToString());
        if (!_guards || (Error is null && !_translates))
            return false;
        if (!_translates)
        {
            GrpcAnswer.Tell(Trailers()!, Error!);
            return true;
        }

        var block = new StringBuilder();
        if (Error is { } error)
        {
            block.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{GrpcAnswer.Status}: {error.Rule.GrpcStatus}\r\n{GrpcAnswer.Message}: {GrpcAnswer.MessageOf(error)}\r\n"
            );
        }
        else
        {
            foreach (var (name, values) in trailers)
            {
                if (!keeps(name))
                    continue;
                foreach (var value in values)
                    block.Append(name.ToLowerInvariant()).Append(": ").Append(value).Append("\r\n");
            }
        }

        // A call that ended with its head («Trailers-Only») has its status there.
        if (block.Length > 0)
            await _exchange.Response.Body.WriteAsync(Frame(block.ToString()), _exchange.Aborted).ConfigureAwait(false);
        return true;
    }

    /// <summary>The service's part ended before its time.</summary>
    /// <returns>Whether the client can be told; a client that left cannot.</returns>
    public bool TryFail(Exception cause, Deadline deadline)
    {
        if (_exchange.IsAborted)
            return false;
        var kind =
            cause is not OperationCanceledException ? GatewayErrorKind.ResponseIncomplete
            : deadline.IsOver ? deadline.Kind
            : GatewayErrorKind.IdleTimeout;
        Error ??= new GatewayError(kind, Cause: cause);
        _exchange.GrpcStatus = Error.Rule.GrpcStatus;
        _exchange.IsErrorTold = true;
        return true;
    }

    private void Note(string status)
    {
        if (int.TryParse(status, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var code))
            _exchange.GrpcStatus = code;
    }

    /// <summary>HTTP/1.1 towards clients has none.</summary>
    private IHeaderDictionary? Trailers() => _exchange.Response.Trailers;

    /// <summary>PROTOCOL-WEB.md: a client that accepts nothing of gRPC-Web by name gets what it sent.</summary>
    private GrpcDialect AcceptedDialect()
    {
        var accept = _exchange.Request.Headers.Accept.ToString();
        if (accept.Contains("application/grpc-web-text", StringComparison.OrdinalIgnoreCase))
            return GrpcDialect.WebText;
        return accept.Contains("application/grpc-web", StringComparison.OrdinalIgnoreCase) ? GrpcDialect.Web : _request.Dialect;
    }

    /// <summary>
    /// PROTOCOL-WEB.md: a frame whose flags have the highest bit set holds trailers, written like the headers of HTTP/1.1.
    /// </summary>
    private byte[] Frame(string block)
    {
        var frame = new byte[5 + Encoding.Latin1.GetByteCount(block)];
        frame[0] = 0x80;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        Encoding.Latin1.GetBytes(block, frame.AsSpan(5));
        return IsText ? Encoding.ASCII.GetBytes(Convert.ToBase64String(frame)) : frame;
    }
}
