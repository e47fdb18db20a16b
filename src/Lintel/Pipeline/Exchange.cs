using System.Diagnostics;
using System.Net;
using Lintel.Config;
using Lintel.Observability;
using Lintel.Routing;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>Everything the gateway knows of one request, typed. Pooled: nothing may keep it after the request has ended.</summary>
internal sealed class Exchange
{
    private Captures _captures;
    private Candidate<Route>? _candidate;
    private TraceContext _trace;
    private bool _hasTrace;
    private IPAddress? _clientAddress;
    private bool _hasClientAddress;
    private TrustedProxies? _believed;
    private bool _hasBelieved;

    public HttpContext Context { get; private set; } = null!;

    public Snapshot Snapshot { get; private set; } = null!;

    public long StartTimestamp { get; private set; }

    /// <summary>What the connection's bytes say of the request; <see langword="null"/> where another server has checked them, and for requests of HTTP/2 without a body.</summary>
    public RequestFraming? Framing { get; set; }

    /// <summary>Where the request is counted among those in flight; <see langword="null"/> while it is not.</summary>
    public int? ActivePlace { get; set; }

    /// <summary>The method, of a refused head as it was sent.</summary>
    public string Method => Framing?.Refused?.Method ?? Request.Method;

    /// <summary>What another host's middleware may have changed; <see langword="null"/> for requests of the gateway's own listeners.</summary>
    public HostedRequest? Hosted { get; private set; }

    /// <summary>Whether the application that the gateway runs in gave up the request, and not its client: a time limit of its own, for example.</summary>
    public bool IsCanceledByHost => Hosted is { ClientAborted.IsCancellationRequested: false } && Context.RequestAborted.IsCancellationRequested;

    /// <summary>The target as it was received; empty where a server does not tell.</summary>
    public string RawTarget { get; private set; } = "";

    public RequestTarget RequestTarget { get; set; }

    /// <summary>Whom the connection comes from: the client, or a proxy before it.</summary>
    public Peer Peer { get; private set; } = null!;

    public Route? Route => _candidate?.Route;

    /// <summary>The methods that the route names; empty for any.</summary>
    public IReadOnlyList<string>? Methods => _candidate?.Methods;

    /// <summary>The service that was chosen, for the log.</summary>
    public string? Service { get; set; }

    /// <summary>The address of the instance that was tried last, for the log.</summary>
    public string? Instance { get; set; }

    public int Attempts { get; set; }

    /// <summary>Time spent in attempts.</summary>
    public TimeSpan Upstream { get; set; }

    /// <summary>Bytes of the request's body that were read from the client.</summary>
    public long RequestBytes { get; set; }

    /// <summary>Bytes of the response's body that were handed to the client's connection.</summary>
    public long ResponseBytes { get; set; }

    /// <summary>How a gRPC call ended, for the log; <see langword="null"/> where it is no such call, or nobody said.</summary>
    public int? GrpcStatus { get; set; }

    /// <summary>The response has begun, and its trailers tell of the error: there is nothing to cut off.</summary>
    public bool IsErrorTold { get; set; }

    /// <summary>Whether the request has a body, be it an empty one in chunks.</summary>
    public bool HasBody { get; private set; }

    /// <summary>The client's connection, where it lives on a loop and carries nothing but this request; <see langword="null"/> for HTTP/2 and other servers' connections.</summary>
    public LoopConnection? ClientConnection { get; private set; }

    /// <summary>The loop of the client's connection; <see langword="null"/> where it has none.</summary>
    public EventLoop? Loop { get; private set; }

    /// <summary>Whether the client asks for another protocol that is served.</summary>
    public bool WantsUpgrade { get; set; }

    /// <summary>Whether the request is an extended CONNECT (RFC 8441).</summary>
    public bool IsExtendedConnect { get; set; }

    /// <summary>Whether the client waits for 100 (Continue) before it sends the body.</summary>
    public bool ExpectsContinue => Request.Headers.Expect is [{ } expect, ..] && expect.Equals("100-continue", StringComparison.OrdinalIgnoreCase);

    public HttpRequest Request => Context.Request;

    public HttpResponse Response => Context.Response;

    /// <summary>The id by which logs, problems and services know the request: the client's own trace, or a new one.</summary>
    public string TraceId => Trace.TraceId.ToHexString();

    /// <summary>Where the request stands in its trace: what its attempts are children of.</summary>
    public TraceContext Trace
    {
        get
        {
            if (!_hasTrace)
                Trace = Snapshot.Tracing?.Parent != TraceParent.Ignore && TraceContext.TryParse(Request.Headers.TraceParent, Request.Headers.TraceState, out var client) ? client : TraceContext.NewRoot();
            return _trace;
        }

        set
        {
            _trace = value;
            _hasTrace = true;
        }
    }

    /// <summary>The request's span, where somebody records it.</summary>
    public Activity? Span { get; set; }

    /// <summary>The span of the attempt under way, where somebody records it.</summary>
    public Activity? AttemptSpan { get; set; }

    /// <summary>When the attempt under way began.</summary>
    public long AttemptTimestamp { get; set; }

    /// <summary>The client's address behind trusted proxies; <see langword="null"/> where the connection has none (Unix sockets).</summary>
    public IPAddress? ClientAddress
    {
        get
        {
            if (!_hasClientAddress)
            {
                _clientAddress = Believed is { } proxies ? proxies.ClientAddress(Context.Request, Peer.Address) : Peer.Address;
                _hasClientAddress = true;
            }

            return _clientAddress;
        }
    }

    /// <summary>The listener that took the request; <see langword="null"/> inside another host.</summary>
    public ListenerIdentity? Listener { get; private set; }

    /// <summary>Those whose word is taken of who the client is, where the request came by one of them; else <see langword="null"/>.</summary>
    public TrustedProxies? Believed
    {
        get
        {
            if (!_hasBelieved)
            {
                var proxies = Listener?.TrustedProxies ?? Snapshot.TrustedProxies;
                _believed = proxies.Trusts(Peer.Address) ? proxies : null;
                _hasBelieved = true;
            }

            return _believed;
        }
    }

    /// <summary>Host and port as the client sent them.</summary>
    public string Host => RequestHost.Of(Request);

    /// <summary>What the request is routed by.</summary>
    public RoutedRequest Routed => new(Request, Believed is { } proxies ? proxies.Scheme(Request) : Request.Scheme, Listener?.Name);

    /// <summary>A header's value, as bytes; <see langword="null"/> where the request does not have it.</summary>
    public string? Field(string name) => Request.Headers.TryGetValue(name, out var values) ? Bytes(values.ToString()) : null;

    /// <summary>A cookie's value, as bytes; <see langword="null"/> where the request does not have it.</summary>
    public string? Cookie(string name) => RequestCookies.Find(Request.Headers.Cookie, name) is { } value ? Bytes(value) : null;

    /// <summary>A header's values as bytes.</summary>
    public StringValues Bytes(StringValues values)
    {
        if (Listener is not null)
            return values;
        return values.Count == 1 ? Bytes(values.ToString()) : new StringValues([.. values.Select(v => Bytes(v ?? ""))]);
    }

    /// <summary>A header's value as bytes: our own listeners read it so, other hosts' read UTF-8.</summary>
    public string Bytes(string value) => Listener is null ? FieldText.ToBytes(value) : value;

    public void Begin(HttpContext context, Snapshot snapshot, long timestamp, RequestOrigin origin = default)
    {
        Context = context;
        Listener = origin.Listener;
        Hosted = origin.Hosted;
        Hosted?.Begin(this);
        Snapshot = snapshot;
        StartTimestamp = timestamp;
        if (origin.Client is { } client)
        {
            Framing = client.Framing;
            HasBody = client.HasBody;
            ClientConnection = client.Loop;
            Loop = client.Loop?.Loop;
            Peer = client.Peer;
            RawTarget = client.RawTarget;
            return;
        }

        var features = context.Features;
        Framing = features.Get<RequestFraming>();
        HasBody = features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;
        Loop = features.Get<LoopConnection>()?.Loop;
        Peer = features.Get<Peer>() ?? new Peer(context.Connection.RemoteIpAddress);
        RawTarget = features.Get<IHttpRequestFeature>()!.RawTarget;
    }

    /// <summary>Tells the loop, where this runs on it, which route holds it: for the report of a callback that holds it too long.</summary>
    public void TellLoop()
    {
        if (Loop is not null && Loop == EventLoop.Current)
            Loop.Subject = Route;
    }

    public void Matched(ref readonly RouteLookup<Route> lookup)
    {
        _candidate = lookup.Candidate;
        _captures = lookup.Captures;
        TellLoop();
    }

    /// <summary>A route parameter's value as it stands in the normalised path: escaped. <see langword="null"/> for an optional one that is absent.</summary>
    /// <param name="slot">The parameter's place among the route's parameters.</param>
    public string? Parameter(int slot)
    {
        var capture = _candidate!.Slots[slot];
        return capture < 0 ? _candidate.Defaults[slot] : RequestTarget.Path.Substring(_captures[capture].Start, _captures[capture].Length);
    }

    public void End()
    {
        Hosted?.End();
        Hosted = null;
        Context = null!;
        Snapshot = null!;
        Listener = null;
        _believed = null;
        _hasBelieved = false;
        Framing = null;
        ActivePlace = null;
        Peer = null!;
        RawTarget = "";
        HasBody = false;
        WantsUpgrade = false;
        IsExtendedConnect = false;
        ClientConnection = null;
        Loop = null;
        RequestTarget = default;
        _candidate = null;
        _trace = default;
        _hasTrace = false;
        Span = null;
        AttemptSpan = null;
        AttemptTimestamp = 0;
        _clientAddress = null;
        _hasClientAddress = false;
        Service = null;
        Instance = null;
        Attempts = 0;
        Upstream = default;
        RequestBytes = 0;
        ResponseBytes = 0;
        GrpcStatus = null;
        IsErrorTold = false;
    }
}
