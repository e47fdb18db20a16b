using System.IO.Pipelines;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Lintel.Errors;
using Lintel.Identities;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Lintel.Carriers;

/// <summary>
/// A request as its client sent it, with the properties of its connection. The rest of the gateway accesses requests through this type
/// only; the underlying <see cref="HttpContext"/> is known here alone.
/// </summary>
/// <remarks>
/// One for each <see cref="HttpContext"/>, which Kestrel keeps with an HTTP/1.1 connection or a stream of a later version. Nothing here
/// outlives a request except the context itself. Thread rule: that of the context, one flow at a time.
/// </remarks>
internal sealed class ClientRequest
{
    private readonly HttpContext _context;
    private readonly HttpRequest _request;
    private readonly ClientConnection? _connection;

    /// <param name="context">The underlying context.</param>
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

    /// <summary>Whether the request is a stream on a multiplexed connection: HTTP/2 and HTTP/3.</summary>
    public bool IsStream => IsHttp2 || IsHttp3;

    /// <summary><c>http</c> or <c>https</c>: that of the connection, unless a trusted proxy reported another one.</summary>
    public string Scheme
    {
        get => _request.Scheme;
        set => _request.Scheme = value;
    }

    /// <summary>
    /// Host and port as the client sent them; empty if absent. ASP.NET Core's <see cref="HostString"/> decodes A-labels (<c>xn--…</c>) and
    /// is therefore suitable neither for matching nor for sending.
    /// </summary>
    public string Host => _request.Headers.Host.ToString();

    /// <summary>The target as it was received; empty where the server does not provide it.</summary>
    public string RawTarget => _connection?.RawTarget ?? _context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;

    /// <summary>The query with its question mark; empty if there is none.</summary>
    public string Query => _request.QueryString.Value ?? "";

    /// <summary>The path as decoded by the server; <see langword="null"/> if there is none. For display only.</summary>
    public string? DecodedPath => _request.Path.Value;

    public IHeaderDictionary Headers => _request.Headers;

    public string? ContentType => _request.ContentType;

    public long? ContentLength
    {
        get => _request.ContentLength;
        set => _request.ContentLength = value;
    }

    /// <summary>The protocol of an extended CONNECT (RFC 8441); <see langword="null"/> for other requests.</summary>
    public string? ConnectProtocol =>
        _context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect ? connect.Protocol ?? "" : null;

    /// <summary>Whether the connection can switch to another protocol after a 101 response (RFC 9110 section 7.8).</summary>
    public bool IsUpgradable => _context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };

    // The body.

    /// <summary>Whether there is a body, including an empty chunked one.</summary>
    public bool HasBody => _connection?.HasBody ?? _context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;

    public PipeReader BodyReader => _request.BodyReader;

    /// <summary>The body; can be replaced.</summary>
    public Stream Body
    {
        get => _request.Body;
        set => _request.Body = value;
    }

    /// <summary>
    /// The trailers, once the body has been read to its end; <see langword="null"/> before that, and for a request without a body.
    /// </summary>
    public IHeaderDictionary? Trailers =>
        _context.Features.Get<IHttpRequestTrailersFeature>() is { Available: true } feature ? feature.Trailers : null;

    /// <summary>Limits the body's length, if the server supports it.</summary>
    /// <param name="limit">In bytes; <see langword="null"/> keeps the listener's own limit.</param>
    /// <returns>The effective limit; <see langword="null"/> for none.</returns>
    public long? LimitBody(long? limit)
    {
        if (_context.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { } feature)
            return null;
        if (limit is not null && !feature.IsReadOnly)
            feature.MaxRequestBodySize = limit;
        return feature.MaxRequestBodySize;
    }

    /// <summary>Disables the listener's minimum data rate, which is meant for uploads: a stream of messages may pause for long.</summary>
    public void AllowPauses()
    {
        if (_context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    /// <summary>Checks the trailers of an HTTP/2 or HTTP/3 request after its body.</summary>
    /// <returns>The framing information in which a refusal is recorded.</returns>
    public RequestFraming GuardBody() => StreamBody.Guard(_context);

    // The connection.

    /// <summary>
    /// Framing information from the connection's bytes; <see langword="null"/> where another server has checked them, and for HTTP/2
    /// requests without a body.
    /// </summary>
    public RequestFraming? Framing => _connection is null ? _context.Features.Get<RequestFraming>() : _connection.Framing;

    /// <summary>The remote peer: the client, or a proxy in front of the gateway.</summary>
    public Peer Peer => _connection?.Peer ?? _context.Features.Get<Peer>() ?? new Peer(_context.Connection.RemoteIpAddress);

    /// <summary>
    /// The connection, if it runs on a loop and carries this request alone; <see langword="null"/> for HTTP/2 and for connections of other
    /// servers.
    /// </summary>
    public LoopConnection? LoopConnection => _connection?.Loop;

    /// <summary>The loop that the connection runs on; <see langword="null"/> if it has none.</summary>
    public EventLoop? Loop => _connection is null ? _context.Features.Get<LoopConnection>()?.Loop : _connection.Loop?.Loop;

    /// <summary>Canceled when the client disconnects, or its host cancels the request.</summary>
    public CancellationToken Aborted
    {
        get => _context.RequestAborted;
        set => _context.RequestAborted = value;
    }

    /// <summary>Why the gateway cut off the connection; <see langword="null"/> if it did not.</summary>
    public GatewayError? CutReason => _context.Features.Get<IConnectionEnd>()?.Reason;

    /// <summary>
    /// The user that the application around the gateway has authenticated; <see langword="null"/> for none. Several values of a claim
    /// become a list.
    /// </summary>
    public CallerIdentity? HostUser
    {
        get
        {
            if (_context.User is not { Identity.IsAuthenticated: true } user)
                return null;
            var claims = new JsonObject();
            foreach (var values in user.Claims.GroupBy(c => c.Type, c => c.Value))
                claims[values.Key] = values.Count() == 1 ? values.First() : new JsonArray([.. values.Select(v => (JsonNode)v)]);
            return new CallerIdentity("host", ClaimSet.Of(claims)) { Subject = user.FindFirst("sub")?.Value ?? user.Identity.Name };
        }
    }

    /// <summary>The certificate of the client's TLS connection; <see langword="null"/> for none.</summary>
    public X509Certificate2? Certificate => _context.Connection.ClientCertificate;

    /// <summary>The name that the client asked for when its TLS connection was made (SNI); <see langword="null"/> for none.</summary>
    public string? ServerName => _context.Features.Get<ITlsHandshakeFeature>()?.HostName;

    /// <summary>The services of the request's scope; <see langword="null"/> if its server has none.</summary>
    public IServiceProvider? Services => _context.RequestServices;

    /// <summary>Aborts the request: closes the connection of HTTP/1.1, resets the stream of HTTP/2.</summary>
    public void Abort() => _context.Abort();

    /// <summary>The request as an ASP.NET Core context, for libraries and users' code that require one.</summary>
    public HttpContext AsHttpContext() => _context;
}
