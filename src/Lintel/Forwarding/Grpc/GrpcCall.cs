using System.Buffers.Binary;
using System.Text;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding.Grpc;

/// <summary>A gRPC call in progress: the client's dialect, and how the end of the call is reported in every case.</summary>
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

    /// <summary>The client's timeout for the call as a whole; <see langword="null"/> for no limit.</summary>
    public TimeSpan? Timeout { get; }

    /// <summary>A failure after the response head. It is reported to the client in the trailers.</summary>
    public GatewayError? Error { get; private set; }

    private bool IsText => _response.Dialect == GrpcDialect.WebText;

    /// <summary>Returns the call of a gRPC request; <see langword="null"/> for any other request.</summary>
    public static GrpcCall? Of(Exchange exchange) =>
        GrpcMediaType.Of(exchange.Request) is { Dialect: not GrpcDialect.None } media ? new GrpcCall(exchange, media) : null;

    /// <summary>Translates gRPC-Web to plain gRPC. A plain call is left unchanged.</summary>
    /// <returns>The body that replaces the client's; <see langword="null"/> if no change is needed.</returns>
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
        _exchange.Request.ContentLength = null; // the length of the base64 text
        return new Base64RequestBody(_exchange.Request);

        static bool Is(KeyValuePair<string, StringValues> header, string name) =>
            header.Key.Equals(name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Takes over a response after its headers were copied: from here on its end is reported in the client's dialect.</summary>
    public void Take(HttpResponseMessage response, Deadline deadline)
    {
        // A response that is not gRPC, such as another proxy's error page, is passed through unchanged.
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

    /// <summary>Writes the trailers, or trailers that report a failure in place of the service's own.</summary>
    /// <returns>Whether trailers were written; otherwise they are passed through unchanged.</returns>
    public async ValueTask<bool> EndAsync(HttpResponseMessage response, Predicate<string> keeps)
    {
        var trailers = response.TrailingHeaders.NonValidated;
        if (Error is null && trailers.TryGetValues(GrpcAnswer.Status, out var status))
            Note(status.ToString());
        if (!_guards || (Error is null && !_translates))
            return false;
        if (!_translates)
        {
            GrpcAnswer.WriteStatus(Trailers()!, Error!);
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

    /// <summary>Handles a premature end of the service's response.</summary>
    /// <returns>Whether the client can be notified; a disconnected client cannot.</returns>
    public bool TryFail(Exception cause, Deadline deadline)
    {
        if (_exchange.IsAborted)
            return false;
        var kind =
            cause is not OperationCanceledException ? GatewayErrorKind.ResponseIncomplete
            : deadline.IsOver ? deadline.Expired ?? GatewayErrorKind.ResponseTimeout
            : GatewayErrorKind.IdleTimeout;
        Error ??= new GatewayError(kind, Cause: cause);
        _exchange.GrpcStatus = Error.Rule.GrpcStatus;
        _exchange.IsErrorReported = true;
        return true;
    }

    private void Note(string status)
    {
        if (int.TryParse(status, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var code))
            _exchange.GrpcStatus = code;
    }

    /// <summary>Response trailers; HTTP/1.1 has none towards clients.</summary>
    private IHeaderDictionary? Trailers() => _exchange.Response.Trailers;

    /// <summary>PROTOCOL-WEB.md: a client that names no gRPC-Web type in <c>Accept</c> gets the type that it sent.</summary>
    private GrpcDialect AcceptedDialect()
    {
        var accept = _exchange.Request.Headers.Accept.ToString();
        if (accept.Contains("application/grpc-web-text", StringComparison.OrdinalIgnoreCase))
            return GrpcDialect.WebText;
        return accept.Contains("application/grpc-web", StringComparison.OrdinalIgnoreCase) ? GrpcDialect.Web : _request.Dialect;
    }

    /// <summary>PROTOCOL-WEB.md: a frame with the highest flag bit set holds trailers, formatted like HTTP/1.1 headers.</summary>
    private byte[] Frame(string block)
    {
        var frame = new byte[5 + Encoding.Latin1.GetByteCount(block)];
        frame[0] = 0x80;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - 5);
        Encoding.Latin1.GetBytes(block, frame.AsSpan(5));
        return IsText ? Encoding.ASCII.GetBytes(Convert.ToBase64String(frame)) : frame;
    }
}
