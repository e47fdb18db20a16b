using System.Diagnostics;
using System.Net;
using Lintel.Carriers;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Errors;
using Lintel.Observability.Traces;
using Lintel.Routing;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>Everything the gateway knows of one request, typed. Pooled: nothing may keep it after the request has ended.</summary>
internal sealed class Exchange
{
    /// <summary>Everything that belongs to the request at hand: <see cref="End"/> forgets all of it at once.</summary>
    private RequestState _state;

    public ClientRequest Request => _state.Request;

    public ClientResponse Response => _state.Response;

    /// <summary>Canceled when the client leaves, or the host around the gateway gives the request up.</summary>
    public CancellationToken Aborted => Request.Aborted;

    /// <summary>Whether the client has left, or the host has given the request up.</summary>
    public bool IsAborted => Request.Aborted.IsCancellationRequested;

    public Snapshot Snapshot => _state.Snapshot;

    public long StartTimestamp => _state.StartTimestamp;

    /// <summary>
    /// What the connection's bytes say of the request; <see langword="null"/> where another server has checked them, and for requests of
    /// HTTP/2 without a body.
    /// </summary>
    public RequestFraming? Framing
    {
        get => _state.Framing;
        set => _state.Framing = value;
    }

    /// <summary>Where the request is counted among those in flight; <see langword="null"/> while it is not.</summary>
    public int? ActivePlace
    {
        get => _state.ActivePlace;
        set => _state.ActivePlace = value;
    }

    /// <summary>The method, of a refused head as it was sent.</summary>
    public string Method => Framing?.Refused?.Method ?? Request.Method;

    /// <summary>
    /// What another host's middleware may have changed; <see langword="null"/> for requests of the gateway's own listeners.
    /// </summary>
    public HostedRequest? Hosted => _state.Hosted;

    /// <summary>
    /// Whether the application that the gateway runs in gave up the request, and not its client: a time limit of its own, for example.
    /// </summary>
    public bool IsCanceledByHost => Hosted is { ClientAborted.IsCancellationRequested: false } && IsAborted;

    /// <summary>
    /// Why the gateway cut off the client's connection; <see langword="null"/> where the client has gone, or is there. Looked for when a
    /// request has ended badly.
    /// </summary>
    public GatewayError? CutReason => Request.CutReason ?? Listener?.Cut;

    /// <summary>The target as it was received; empty where a server does not tell.</summary>
    public string RawTarget => _state.RawTarget ?? "";

    public RequestTarget RequestTarget
    {
        get => _state.RequestTarget;
        set => _state.RequestTarget = value;
    }

    /// <summary>Whom the connection comes from: the client, or a proxy before it.</summary>
    public Peer Peer => _state.Peer;

    public Route? Route => _state.Candidate?.Route;

    /// <summary>The methods that the route names; empty for any.</summary>
    public IReadOnlyList<string>? Methods => _state.Candidate?.Methods;

    /// <summary>The service that was chosen, for the log.</summary>
    public string? Service
    {
        get => _state.Service;
        set => _state.Service = value;
    }

    /// <summary>The address of the instance that was tried last, for the log.</summary>
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

    /// <summary>Bytes of the request's body that were read from the client.</summary>
    public long RequestBytes
    {
        get => _state.RequestBytes;
        set => _state.RequestBytes = value;
    }

    /// <summary>Bytes of the response's body that were handed to the client's connection.</summary>
    public long ResponseBytes
    {
        get => _state.ResponseBytes;
        set => _state.ResponseBytes = value;
    }

    /// <summary>How a gRPC call ended, for the log; <see langword="null"/> where it is no such call, or nobody said.</summary>
    public int? GrpcStatus
    {
        get => _state.GrpcStatus;
        set => _state.GrpcStatus = value;
    }

    /// <summary>The response has begun, and its trailers tell of the error: there is nothing to cut off.</summary>
    public bool IsErrorTold
    {
        get => _state.IsErrorTold;
        set => _state.IsErrorTold = value;
    }

    /// <summary>Whether the request has a body, be it an empty one in chunks.</summary>
    public bool HasBody => _state.HasBody;

    /// <summary>
    /// The client's connection, where it lives on a loop and carries nothing but this request; <see langword="null"/> for HTTP/2 and other
    /// servers' connections.
    /// </summary>
    public LoopConnection? ClientConnection => _state.ClientConnection;

    /// <summary>The loop of the client's connection; <see langword="null"/> where it has none.</summary>
    public EventLoop? Loop => _state.Loop;

    /// <summary>Whether the response's head has been through <see cref="ResponsePhase"/>.</summary>
    public bool IsHeadSettled
    {
        get => _state.IsHeadSettled;
        set => _state.IsHeadSettled = value;
    }

    /// <summary>Whether the request is a CORS preflight that a policy of its route answers.</summary>
    public bool IsPreflight
    {
        get => _state.IsPreflight;
        set => _state.IsPreflight = value;
    }

    /// <summary>
    /// The protocol that the client asks to switch to and may, as it is told to the service; <see langword="null"/> for none.
    /// </summary>
    public string? Upgrade
    {
        get => _state.Upgrade;
        set => _state.Upgrade = value;
    }

    /// <summary>Whether the client asks for another protocol that is served.</summary>
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

    /// <summary>The id by which logs, problems and services know the request: the client's own trace, or a new one.</summary>
    public string TraceId => Trace.TraceId.ToHexString();

    /// <summary>Where the request stands in its trace: what its attempts are children of.</summary>
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

    /// <summary>The request's span, where somebody records it.</summary>
    public Activity? Span
    {
        get => _state.Span;
        set => _state.Span = value;
    }

    /// <summary>The span of the attempt under way, where somebody records it.</summary>
    public Activity? AttemptSpan
    {
        get => _state.AttemptSpan;
        set => _state.AttemptSpan = value;
    }

    /// <summary>When the attempt under way began.</summary>
    public long AttemptTimestamp
    {
        get => _state.AttemptTimestamp;
        set => _state.AttemptTimestamp = value;
    }

    /// <summary>The client's address behind trusted proxies; <see langword="null"/> where the connection has none (Unix sockets).</summary>
    public IPAddress? ClientAddress
    {
        get
        {
            if (!_state.HasClientAddress)
            {
                _state.ClientAddress = Believed is { } proxies ? proxies.ClientAddress(Request.Headers, Peer.Address) : Peer.Address;
                _state.HasClientAddress = true;
            }

            return _state.ClientAddress;
        }
    }

    /// <summary>The listener that took the request; <see langword="null"/> inside another host.</summary>
    public ListenerIdentity? Listener => _state.Listener;

    /// <summary>
    /// Those whose word is taken of who the client is, where the request came by one of them; else <see langword="null"/>.
    /// </summary>
    public TrustedProxies? Believed
    {
        get
        {
            if (!_state.HasBelieved)
            {
                var proxies = Listener?.TrustedProxies ?? Snapshot.TrustedProxies;
                _state.Believed = proxies.Trusts(Peer.Address) ? proxies : null;
                _state.HasBelieved = true;
            }

            return _state.Believed;
        }
    }

    /// <summary>Host and port as the client sent them.</summary>
    public string Host => Request.Host;

    /// <summary>The scheme that the client used: its connection's, or what a trusted proxy tells.</summary>
    public string Scheme => Believed is { } proxies ? proxies.Scheme(Request) : Request.Scheme;

    /// <summary>Whether the client came by HTTPS.</summary>
    public bool IsHttps => Scheme == "https";

    /// <summary>What the request is routed by.</summary>
    public RoutedRequest Routed => new(Request, Scheme, Listener?.Name);

    /// <summary>A header's value, as bytes; <see langword="null"/> where the request does not have it.</summary>
    public string? Field(string name) => Request.Headers.TryGetValue(name, out var values) ? Bytes(values.ToString()) : null;

    /// <summary>A header's value of the response, as it stands now; <see langword="null"/> where it has none.</summary>
    public string? ResponseField(string name) => Response.Headers.TryGetValue(name, out var values) ? values.ToString() : null;

    /// <summary>Answers with a status and no content.</summary>
    public void AnswerEmpty(int status)
    {
        Response.StatusCode = status;
        Response.ContentLength = 0;
    }

    /// <summary>Sets a header of the response, in the place of what stands there.</summary>
    public void SetResponseField(string name, string value) => Response.Headers[name] = value;

    /// <summary>Adds a line of a header to the response.</summary>
    public void AppendResponseField(string name, string value) => Response.Headers.Append(name, value);

    /// <summary>Removes a header from the response.</summary>
    public void RemoveResponseField(string name) => Response.Headers.Remove(name);

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

    /// <summary>Tells the loop, where this runs on it, which route holds it: for the report of a callback that holds it too long.</summary>
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
    /// A route parameter's value as it stands in the normalised path: escaped. <see langword="null"/> for an optional one that is absent.
    /// </summary>
    /// <param name="slot">The parameter's place among the route's parameters.</param>
    public string? Parameter(int slot)
    {
        var capture = _state.Candidate!.Slots[slot];
        return capture < 0
            ? _state.Candidate.Defaults[slot]
            : RequestTarget.Path.Substring(_state.Captures[capture].Start, _state.Captures[capture].Length);
    }

    /// <summary>The request is over.</summary>
    public void End()
    {
        Hosted?.End();
        _state = default;
    }

    private struct RequestState
    {
        public bool IsHeadSettled;
        public bool IsPreflight;
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
        public bool IsErrorTold;
        public bool HasBody;
        public LoopConnection? ClientConnection;
        public EventLoop? Loop;
        public string? Upgrade;
        public bool IsExtendedConnect;
        public Activity? Span;
        public Activity? AttemptSpan;
        public long AttemptTimestamp;
        public ListenerIdentity? Listener;
        public Captures Captures;
        public Candidate<Route>? Candidate;
        public TraceContext Trace;
        public bool HasTrace;
        public IPAddress? ClientAddress;
        public bool HasClientAddress;
        public TrustedProxies? Believed;
        public bool HasBelieved;
    }
}
