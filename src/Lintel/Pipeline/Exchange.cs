using System.Diagnostics;
using System.Net;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>Everything the gateway knows of one request, typed. Pooled: nothing may keep it after the request has ended.</summary>
internal sealed class Exchange
{
    private Captures _captures;
    private Candidate<Route>? _candidate;
    private string? _traceId;
    private ActivityContext _parentContext;
    private IPAddress? _clientAddress;
    private bool _hasClientAddress;

    public HttpContext Context { get; private set; } = null!;

    public Snapshot Snapshot { get; private set; } = null!;

    public long StartTimestamp { get; private set; }

    public RequestTarget RequestTarget { get; set; }

    public Route? Route => _candidate?.Route;

    /// <summary>The service that was chosen, for the log.</summary>
    public string? Service { get; set; }

    /// <summary>The address of the instance that was tried last, for the log.</summary>
    public string? Instance { get; set; }

    public int Attempts { get; set; }

    /// <summary>Time spent in attempts.</summary>
    public TimeSpan Upstream { get; set; }

    public HttpRequest Request => Context.Request;

    public HttpResponse Response => Context.Response;

    /// <summary>The id by which logs, problems and services know the request: the client's own trace, or a new one.</summary>
    public string TraceId
    {
        get
        {
            if (_traceId is null)
            {
                if (!ActivityContext.TryParse(Context.Request.Headers.TraceParent, null, out _parentContext))
                    _parentContext = new ActivityContext(ActivityTraceId.CreateRandom(), default, ActivityTraceFlags.None);
                _traceId = _parentContext.TraceId.ToHexString();
            }

            return _traceId;
        }
    }

    /// <summary>The <c>traceparent</c> for the next hop, with a parent id of its own (W3C Trace Context).</summary>
    public string NewTraceParent()
    {
        var traceId = TraceId;
        return $"00-{traceId}-{ActivitySpanId.CreateRandom().ToHexString()}-{(byte)_parentContext.TraceFlags:x2}";
    }

    /// <summary>Whether the trace is the client's own and not made here.</summary>
    public bool HasClientTrace => TraceId.Length > 0 && _parentContext.SpanId != default;

    /// <summary>The client's address behind trusted proxies; <see langword="null"/> where the connection has none (Unix sockets).</summary>
    public IPAddress? ClientAddress
    {
        get
        {
            if (!_hasClientAddress)
            {
                _clientAddress = Snapshot.TrustedProxies.ClientAddress(Context.Request, Context.Connection.RemoteIpAddress);
                _hasClientAddress = true;
            }

            return _clientAddress;
        }
    }

    public void Begin(HttpContext context, Snapshot snapshot, long timestamp)
    {
        Context = context;
        Snapshot = snapshot;
        StartTimestamp = timestamp;
    }

    public void Matched(ref readonly RouteLookup<Route> lookup)
    {
        _candidate = lookup.Candidate;
        _captures = lookup.Captures;
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
        Context = null!;
        Snapshot = null!;
        RequestTarget = default;
        _candidate = null;
        _traceId = null;
        _clientAddress = null;
        _hasClientAddress = false;
        Service = null;
        Instance = null;
        Attempts = 0;
        Upstream = default;
    }
}
