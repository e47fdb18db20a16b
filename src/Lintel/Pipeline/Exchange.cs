using System.Diagnostics;
using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Errors;
using Lintel.Identities;
using Lintel.Observability.Traces;
using Lintel.Routing;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>Typed state of one request and its response. Pooled: no reference may be kept after the request has ended.</summary>
internal sealed partial class Exchange
{
    /// <summary>State of the current request. <see cref="End"/> resets all of it at once.</summary>
    private RequestState _state;

    public ClientRequest Request => _state.Request;

    public ClientResponse Response => _state.Response;

    /// <summary>Canceled when the client disconnects, or when the host around the gateway cancels the request.</summary>
    public CancellationToken Aborted => Request.Aborted;

    /// <summary>Whether the client has disconnected, or the host has canceled the request.</summary>
    public bool IsAborted => Request.Aborted.IsCancellationRequested;

    public Snapshot Snapshot => _state.Snapshot;

    public long StartTimestamp => _state.StartTimestamp;

    /// <summary>
    /// Framing information from the connection's bytes; <see langword="null"/> where another server has checked them, and for HTTP/2
    /// requests without a body.
    /// </summary>
    public RequestFraming? Framing
    {
        get => _state.Framing;
        set => _state.Framing = value;
    }

    /// <summary>The request's slot in the count of active requests; <see langword="null"/> while it is not counted.</summary>
    public int? ActivePlace
    {
        get => _state.ActivePlace;
        set => _state.ActivePlace = value;
    }

    /// <summary>The method; for a refused head, as it was sent.</summary>
    public string Method => Framing?.Refused?.Method ?? Request.Method;

    /// <summary>
    /// State that another host's middleware may have changed; <see langword="null"/> for requests of the gateway's own listeners.
    /// </summary>
    public HostedRequest? Hosted => _state.Hosted;

    /// <summary>
    /// Whether the request was canceled by the application that hosts the gateway, not by its client: by a time limit of the application,
    /// for example.
    /// </summary>
    public bool IsCanceledByHost => Hosted is { ClientAborted.IsCancellationRequested: false } && IsAborted;

    /// <summary>
    /// Why the gateway cut off the client's connection; <see langword="null"/> where the client has disconnected, or is still connected.
    /// Evaluated when a request has failed.
    /// </summary>
    public GatewayError? CutReason => Request.CutReason ?? Listener?.Cut;

    /// <summary>The target as it was received; empty where the server does not provide it.</summary>
    public string RawTarget => _state.RawTarget ?? "";

    public RequestTarget RequestTarget
    {
        get => _state.RequestTarget;
        set => _state.RequestTarget = value;
    }

    /// <summary>The remote peer: the client, or a proxy in front of the gateway.</summary>
    public Peer Peer => _state.Peer;

    public Route? Route => _state.Candidate?.Route;

    /// <summary>The methods of the route; empty for any.</summary>
    public IReadOnlyList<string>? Methods => _state.Candidate?.Methods;

    /// <summary>The chosen service, for the log.</summary>
    public string? Service
    {
        get => _state.Service;
        set => _state.Service = value;
    }

    /// <summary>The address of the last instance tried, for the log.</summary>
    public string? Instance
    {
        get => _state.Instance;
        set => _state.Instance = value;
    }

    public int Attempts
    {
        get => _state.Attempts;
        set => _state.Attempts = value;
    }

    /// <summary>Time spent in attempts.</summary>
    public TimeSpan Upstream
    {
        get => _state.Upstream;
        set => _state.Upstream = value;
    }

    /// <summary>Request body bytes read from the client.</summary>
    public long RequestBytes
    {
        get => _state.RequestBytes;
        set => _state.RequestBytes = value;
    }

    /// <summary>Response body bytes written to the client's connection.</summary>
    public long ResponseBytes
    {
        get => _state.ResponseBytes;
        set => _state.ResponseBytes = value;
    }

    /// <summary>
    /// The status of a gRPC call, for the log; <see langword="null"/> if the request is not a gRPC call, or no status was received.
    /// </summary>
    public int? GrpcStatus
    {
        get => _state.GrpcStatus;
        set => _state.GrpcStatus = value;
    }

    /// <summary>Whether the response has started and its trailers carry the error, so that the response need not be cut off.</summary>
    public bool IsErrorReported
    {
        get => _state.IsErrorReported;
        set => _state.IsErrorReported = value;
    }

    /// <summary>Whether the request has a body, including an empty chunked one.</summary>
    public bool HasBody => _state.HasBody;

    /// <summary>
    /// The client's connection, where it runs on a loop and carries this request alone; <see langword="null"/> for HTTP/2 and for
    /// connections of other servers.
    /// </summary>
    public LoopConnection? ClientConnection => _state.ClientConnection;

    /// <summary>The loop of the client's connection; <see langword="null"/> if it has none.</summary>
    public EventLoop? Loop => _state.Loop;

    /// <summary>Whether <see cref="ResponsePhase"/> has processed the response's head.</summary>
    public bool IsHeadSettled
    {
        get => _state.IsHeadSettled;
        set => _state.IsHeadSettled = value;
    }

    /// <summary>
    /// Cookies of the gateway itself: the values of <c>Set-Cookie</c>, which the head of a response gets unless it tells a failure.
    /// </summary>
    public StringValues Cookies
    {
        get => _state.Cookies;
        set => _state.Cookies = value;
    }

    /// <summary>Whether the request is a CORS preflight that a policy of its route answers.</summary>
    public bool IsPreflight
    {
        get => _state.IsPreflight;
        set => _state.IsPreflight = value;
    }

    /// <summary>
    /// The permitted protocol that the client requests in <c>Upgrade</c>, as it is sent to the service; <see langword="null"/> for none.
    /// </summary>
    public string? Upgrade
    {
        get => _state.Upgrade;
        set => _state.Upgrade = value;
    }

    /// <summary>Whether the client requests an upgrade to a supported protocol.</summary>
    public bool WantsUpgrade => Upgrade is not null;

    /// <summary>Whether the request is an extended CONNECT (RFC 8441).</summary>
    public bool IsExtendedConnect
    {
        get => _state.IsExtendedConnect;
        set => _state.IsExtendedConnect = value;
    }

    /// <summary>Whether the client waits for 100 (Continue) before it sends the body.</summary>
    public bool ExpectsContinue =>
        Request.Headers.Expect is [{ } expect, ..] && expect.Equals("100-continue", StringComparison.OrdinalIgnoreCase);

    /// <summary>The trace id in logs, problems and requests to services: that of the client's trace, or a new one.</summary>
    public string TraceId => Trace.TraceId.ToHexString();

    /// <summary>The request's position in its trace: the parent of its attempts.</summary>
    public TraceContext Trace
    {
        get
        {
            if (!_state.HasTrace)
                Trace =
                    Snapshot.Tracing?.Parent != TraceParent.Ignore
                    && TraceContext.TryParse(Request.Headers.TraceParent, Request.Headers.TraceState, out var client)
                        ? client
                        : TraceContext.NewRoot();
            return _state.Trace;
        }
        set
        {
            _state.Trace = value;
            _state.HasTrace = true;
        }
    }

    /// <summary>The request's span; <see langword="null"/> if it is not recorded.</summary>
    public Activity? Span
    {
        get => _state.Span;
        set => _state.Span = value;
    }

    /// <summary>Start of the current attempt, as a timestamp.</summary>
    public long AttemptTimestamp
    {
        get => _state.AttemptTimestamp;
        set => _state.AttemptTimestamp = value;
    }

    /// <summary>The client's address behind trusted proxies; <see langword="null"/> if the connection has none (Unix sockets).</summary>
    public IPAddress? ClientAddress
    {
        get
        {
            if (!_state.HasClientAddress)
            {
                _state.ClientAddress = TrustedPeer is { } proxies ? proxies.ClientAddress(Request.Headers, Peer.Address) : Peer.Address;
                _state.HasClientAddress = true;
            }

            return _state.ClientAddress;
        }
    }

    /// <summary>The listener that received the request; <see langword="null"/> inside another host.</summary>
    public ListenerIdentity? Listener => _state.Listener;

    /// <summary>The trusted proxies, if the request was received from one of them; otherwise <see langword="null"/>.</summary>
    public TrustedProxies? TrustedPeer
    {
        get
        {
            if (!_state.IsPeerChecked)
            {
                var proxies = Listener?.TrustedProxies ?? Snapshot.TrustedProxies;
                _state.TrustedPeer = proxies.Trusts(Peer.Address) ? proxies : null;
                _state.IsPeerChecked = true;
            }

            return _state.TrustedPeer;
        }
    }

    /// <summary>Host and port as the client sent them.</summary>
    public string Host => Request.Host;

    /// <summary>The scheme that the client used: that of its connection, or as reported by a trusted proxy.</summary>
    public string Scheme => TrustedPeer is { } proxies ? proxies.Scheme(Request) : Request.Scheme;

    /// <summary>Whether the client used HTTPS.</summary>
    public bool IsHttps => Scheme == "https";

    /// <summary>The properties of the request that routing uses.</summary>
    public RoutedRequest Routed => new(Request, Scheme, Listener?.Name);

    /// <summary>A request header's value as bytes; <see langword="null"/> if it is absent.</summary>
    public string? Field(string name) => Request.Headers.TryGetValue(name, out var values) ? Bytes(values.ToString()) : null;

    /// <summary>A response header's current value; <see langword="null"/> if it is absent.</summary>
    public string? ResponseField(string name) => Response.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>Responds with a status and no content.</summary>
    public void AnswerEmpty(int status)
    {
        Response.StatusCode = status;
        Response.ContentLength = 0;
    }

    /// <summary>Sets a header of the response, replacing an existing value.</summary>
    public void SetResponseField(string name, string value) => Response.Headers[name] = value;

    /// <summary>Adds a header line to the response.</summary>
    public void AppendResponseField(string name, string value) => Response.Headers.Append(name, value);

    /// <summary>Removes a header from the response.</summary>
    public void RemoveResponseField(string name) => Response.Headers.Remove(name);

    /// <summary>A cookie's value as bytes; <see langword="null"/> if it is absent.</summary>
    public string? Cookie(string name) => RequestCookies.Find(Request.Headers.Cookie, name) is { } value ? Bytes(value) : null;

    /// <summary>A header's values as bytes.</summary>
    public StringValues Bytes(StringValues values)
    {
        if (Listener is not null)
            return values;
        return values.Count == 1 ? Bytes(values.ToString()) : new StringValues([.. values.Select(v => Bytes(v ?? ""))]);
    }

    /// <summary>A header's value as bytes: the gateway's own listeners decode headers as bytes, other hosts as UTF-8.</summary>
    public string Bytes(string value) => Listener is null ? FieldText.ToBytes(value) : value;

    public void Begin(ClientRequest request, Snapshot snapshot, long timestamp, RequestOrigin origin = default)
    {
        _state.Request = request;
        _state.Response = request.Response;
        _state.Listener = origin.Listener;
        _state.Hosted = origin.Hosted;
        Hosted?.Begin(this);
        _state.Snapshot = snapshot;
        _state.StartTimestamp = timestamp;
        Framing = request.Framing;
        _state.HasBody = request.HasBody;
        _state.ClientConnection = request.LoopConnection;
        _state.Loop = request.Loop;
        _state.Peer = request.Peer;
        _state.RawTarget = request.RawTarget;
    }

    /// <summary>
    /// Sets the route as the current subject of the loop, if the code runs on it, for reports of callbacks that block it too long.
    /// </summary>
    public void SetLoopSubject()
    {
        if (Loop is not null && Loop == EventLoop.Current)
            Loop.Subject = Route;
    }

    public void Matched(ref readonly RouteLookup<Route> lookup)
    {
        _state.Candidate = lookup.Candidate;
        _state.Captures = lookup.Captures;
        SetLoopSubject();
    }

    /// <summary>
    /// A route parameter's value in the normalized path, percent-encoded. <see langword="null"/> for an optional parameter that is absent.
    /// </summary>
    /// <param name="slot">The index of the parameter in the route.</param>
    public string? Parameter(int slot)
    {
        var capture = _state.Candidate!.Slots[slot];
        return capture < 0
            ? _state.Candidate.Defaults[slot]
            : RequestTarget.Path.Substring(_state.Captures[capture].Start, _state.Captures[capture].Length);
    }

    /// <summary>The names of the route's parameters.</summary>
    public IReadOnlyList<string> ParameterNames => _state.Candidate?.Parameters ?? [];

    /// <summary>The same for a parameter of this name; <see langword="null"/>, too, if the route has none.</summary>
    public string? Parameter(string name)
    {
        var names = _state.Candidate!.Parameters;
        for (var i = 0; i < names.Count; i++)
        {
            if (names[i].Equals(name, StringComparison.OrdinalIgnoreCase))
                return Parameter(i);
        }

        return null;
    }

    /// <summary>Ends the request and resets the exchange.</summary>
    public void End()
    {
        Hosted?.End();
        _state = default;
    }

    private struct RequestState
    {
        public bool IsHeadSettled;
        public bool IsPreflight;
        public StringValues Cookies;
        public ClientRequest Request;
        public ClientResponse Response;
        public Snapshot Snapshot;
        public long StartTimestamp;
        public RequestFraming? Framing;
        public int? ActivePlace;
        public HostedRequest? Hosted;
        public string? RawTarget;
        public RequestTarget RequestTarget;
        public Peer Peer;
        public string? Service;
        public string? Instance;
        public int Attempts;
        public TimeSpan Upstream;
        public long RequestBytes;
        public long ResponseBytes;
        public int? GrpcStatus;
        public bool IsErrorReported;
        public bool HasBody;
        public LoopConnection? ClientConnection;
        public EventLoop? Loop;
        public string? Upgrade;
        public bool IsExtendedConnect;
        public Activity? Span;
        public long AttemptTimestamp;
        public ListenerIdentity? Listener;
        public Captures Captures;
        public Candidate<Route>? Candidate;
        public TraceContext Trace;
        public bool HasTrace;
        public IPAddress? ClientAddress;
        public bool HasClientAddress;
        public TrustedProxies? TrustedPeer;
        public bool IsPeerChecked;
        public Authenticated? Caller;
        public bool HasHostUser;
        public OutboundIdentity? Outbound;
        public IDisposable? Held;
    }
}
