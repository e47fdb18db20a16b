using System.IO.Pipelines;
using Lintel.Errors;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.Carriers;

/// <summary>
/// A request as its client sent it, and what can be asked of its connection. The rest of the gateway sees requests through this type alone;
/// only here is known that an <see cref="HttpContext"/> carries it.
/// </summary>
/// <remarks>
/// One for each <see cref="HttpContext"/>, which Kestrel keeps with a connection of HTTP/1.1 or a stream of a later version: nothing here
/// outlives a request but the context itself. Thread rule: that of the context, one flow at a time.
/// </remarks>
internal sealed class ClientRequest
{
    private readonly HttpContext _context;
    private readonly HttpRequest _request;
    private readonly ClientConnection? _connection;

    /// <param name="context">The carrier.</param>
    /// <param name="connection">Its connection, where that is an HTTP/1.1 connection of the gateway's own listeners.</param>
    public ClientRequest(HttpContext context, ClientConnection? connection = null)
    {
        _context = context;
        _request = context.Request;
        _connection = connection;
        Response = new ClientResponse(this, context);
    }

    public ClientResponse Response { get; }

    // The head.

    public string Method => _request.Method;

    /// <summary><c>HTTP/1.1</c> and the like.</summary>
    public string Protocol => _request.Protocol;

    public bool IsHttp11 => HttpProtocol.IsHttp11(Protocol);

    public bool IsHttp2 => HttpProtocol.IsHttp2(Protocol);

    public bool IsHttp3 => HttpProtocol.IsHttp3(Protocol);

    /// <summary>Whether the request is a stream of a connection that carries others beside it: HTTP/2 and HTTP/3.</summary>
    public bool IsStream => IsHttp2 || IsHttp3;

    /// <summary><c>http</c> or <c>https</c>: the connection's, unless a trusted proxy vouched for another one.</summary>
    public string Scheme
    {
        get => _request.Scheme;
        set => _request.Scheme = value;
    }

    /// <summary>
    /// Host and port as the client sent them; empty where it sent none. ASP.NET Core's <see cref="HostString"/> decodes A-labels
    /// (<c>xn--…</c>), so that it is fit for neither matching nor sending.
    /// </summary>
    public string Host => _request.Headers.Host.ToString();

    /// <summary>The target as it was received; empty where a server does not give it.</summary>
    public string RawTarget => _connection?.RawTarget ?? _context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;

    /// <summary>The query with its question mark; empty for none.</summary>
    public string Query => _request.QueryString.Value ?? "";

    /// <summary>The path as the server has decoded it; <see langword="null"/> for none. Fit for people alone.</summary>
    public string? DecodedPath => _request.Path.Value;

    public IHeaderDictionary Headers => _request.Headers;

    public string? ContentType => _request.ContentType;

    public long? ContentLength
    {
        get => _request.ContentLength;
        set => _request.ContentLength = value;
    }

    /// <summary>What extended CONNECT (RFC 8441) asks for; <see langword="null"/> for other requests.</summary>
    public string? ConnectProtocol =>
        _context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect ? connect.Protocol ?? "" : null;

    /// <summary>Whether its connection can change to another protocol after a response of 101 (RFC 9110 section 7.8).</summary>
    public bool IsUpgradable => _context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };

    // The body.

    /// <summary>Whether there is a body, even an empty one in chunks.</summary>
    public bool HasBody => _connection?.HasBody ?? _context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;

    public PipeReader BodyReader => _request.BodyReader;

    /// <summary>The body; another one may be put in its place.</summary>
    public Stream Body
    {
        get => _request.Body;
        set => _request.Body = value;
    }

    /// <summary>The fields after the body, once it was read to its end; <see langword="null"/> before, and for a request without.</summary>
    public IHeaderDictionary? Trailers =>
        _context.Features.Get<IHttpRequestTrailersFeature>() is { Available: true } feature ? feature.Trailers : null;

    /// <summary>Bounds the body's length, where the server can.</summary>
    /// <param name="limit">In bytes; <see langword="null"/> leaves the listener's own.</param>
    /// <returns>The bound that holds; <see langword="null"/> for none.</returns>
    public long? LimitBody(long? limit)
    {
        if (_context.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { } feature)
            return null;
        if (limit is not null && !feature.IsReadOnly)
            feature.MaxRequestBodySize = limit;
        return feature.MaxRequestBodySize;
    }

    /// <summary>A stream of messages may pause for long: the listener's lowest rate is for uploads.</summary>
    public void AllowPauses()
    {
        if (_context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    /// <summary>Watches what comes after the body of an HTTP/2 or HTTP/3 request.</summary>
    /// <returns>Where a refusal is noted.</returns>
    public RequestFraming GuardBody() => StreamBody.Guard(_context);

    // The connection.

    /// <summary>
    /// What the connection's bytes say of the request; <see langword="null"/> where another server has checked them, and for requests of
    /// HTTP/2 without a body.
    /// </summary>
    public RequestFraming? Framing => _connection is null ? _context.Features.Get<RequestFraming>() : _connection.Framing;

    /// <summary>The remote end: the client, or a proxy before it.</summary>
    public Peer Peer => _connection?.Peer ?? _context.Features.Get<Peer>() ?? new Peer(_context.Connection.RemoteIpAddress);

    /// <summary>
    /// The connection, where it runs on a loop and carries this request alone; <see langword="null"/> for HTTP/2 and other servers'.
    /// </summary>
    public LoopConnection? LoopConnection => _connection?.Loop;

    /// <summary>The loop that the connection runs on; <see langword="null"/> where it has none.</summary>
    public EventLoop? Loop => _connection is null ? _context.Features.Get<LoopConnection>()?.Loop : _connection.Loop?.Loop;

    /// <summary>Canceled when the client leaves, or its host gives the request up.</summary>
    public CancellationToken Aborted
    {
        get => _context.RequestAborted;
        set => _context.RequestAborted = value;
    }

    /// <summary>Why the gateway cut off the connection; <see langword="null"/> where it did not.</summary>
    public GatewayError? CutReason => _context.Features.Get<IConnectionEnd>()?.Reason;

    /// <summary>The services of the request's scope; <see langword="null"/> where its server has none.</summary>
    public IServiceProvider? Services => _context.RequestServices;

    /// <summary>Cuts the request off: HTTP/1.1 loses its connection, HTTP/2 the stream.</summary>
    public void Abort() => _context.Abort();

    /// <summary>The request as ASP.NET Core knows it: for libraries and users' code that ask for one.</summary>
    public HttpContext AsHttpContext() => _context;
}
