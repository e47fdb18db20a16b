using Lintel.Carriers;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Observability.Traces;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>
/// The request to a service, the same for every attempt: all rules are applied, and only the framing is left to the forwarder.
/// </summary>
/// <remarks>Reused once it is no longer referenced: <see cref="Release"/>.</remarks>
internal sealed class UpstreamRequest
{
    /// <summary>The initial capacity: the headers of a browser and the gateway's own.</summary>
    private const int UsualHeaders = 24;

    /// <summary>A list that grew larger, for a request with many headers, is not kept.</summary>
    private const int MostHeaders = 64;

    private UpstreamRequest() { }

    public string Method { get; private set; } = "";

    /// <summary>The escaped path and query, relative to the instance's base path.</summary>
    public string PathAndQuery { get; private set; } = "";

    /// <summary>The client's <c>Host</c>, for services that preserve it.</summary>
    public string Host { get; private set; } = "";

    public List<KeyValuePair<string, StringValues>> Headers { get; } = new(UsualHeaders);

    /// <summary>The trace context; each attempt, and each copy, writes its own <c>traceparent</c> as a child of it.</summary>
    public TraceContext Trace { get; private set; }

    /// <summary>Whether <c>traceparent</c> is written: a route may remove it, or set another.</summary>
    public bool SendsTraceContext { get; private set; }

    /// <summary>The request's gRPC call; <see langword="null"/> for any other request.</summary>
    public GrpcCall? Grpc { get; set; }

    /// <summary>Applies path, query and header rules.</summary>
    public static UpstreamRequest? Create(
        Exchange exchange,
        UpstreamPath? path,
        QueryChanges query,
        HeaderChanges changes,
        out GatewayError? error
    )
    {
        var target = exchange.RequestTarget.Path;
        if (path is not null && !path.TryRender(exchange, out target, out var problem))
        {
            error = new GatewayError(GatewayErrorKind.BadPlaceholder, problem);
            return null;
        }

        var result = Spares<UpstreamRequest>.Take() ?? new UpstreamRequest();
        var (request, headers) = (exchange.Request, result.Headers);
        CopyHeaders(exchange, changes, headers);
        AddOwnHeaders(exchange, headers);
        exchange.Outbound?.AddTo(headers, changes.Removes);
        var sendsTraceContext = !changes.Removes("traceparent");
        if (sendsTraceContext && exchange.Trace.State is { } state && !changes.Removes("tracestate"))
            headers.Add(new("tracestate", state));
        foreach (var (name, template) in changes.Added)
        {
            if (template.RenderForHeader(exchange) is not { } value)
            {
                error = new GatewayError(GatewayErrorKind.BadPlaceholder, $"a value is not allowed in the header {name}");
                return null;
            }

            if (value.Length > 0)
                headers.Add(new(name, value));
        }

        error = null;
        result.Method = request.Method;
        foreach (var cookie in exchange.Outbound?.RemovedCookies ?? [])
            result.RemoveCookie(cookie);
        RemoveOwnCookies(headers, exchange.Snapshot.OwnCookies);
        result.PathAndQuery = target + query.Apply(exchange);
        result.Host = exchange.Host; // empty for HTTP/1.0 without one: the instance's own replaces it
        result.Trace = exchange.Trace;
        result.SendsTraceContext = sendsTraceContext;
        return result;
    }

    /// <summary>Removes a cookie of the gateway itself, which is of no interest to the service.</summary>
    public void RemoveCookie(string name) => RemoveCookie(Headers, name);

    internal static void RemoveCookie(List<KeyValuePair<string, StringValues>> headers, string name)
    {
        for (var i = headers.Count - 1; i >= 0; i--)
        {
            if (!headers[i].Key.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
                continue;
            var left = RequestCookies.Without(headers[i].Value, name);
            if (left.Count == 0)
                headers.RemoveAt(i);
            else
                headers[i] = new(headers[i].Key, left);
        }
    }

    /// <summary>Removes the cookies in which policies keep their state.</summary>
    internal static void RemoveOwnCookies(List<KeyValuePair<string, StringValues>> headers, string[] names)
    {
        for (var i = names.Length == 0 ? -1 : headers.Count - 1; i >= 0; i--)
        {
            if (!headers[i].Key.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
                continue;
            var left = names.Aggregate(headers[i].Value, RequestCookies.WithoutFamily);
            if (left.Count == 0)
                headers.RemoveAt(i);
            else
                headers[i] = new(headers[i].Key, left);
        }
    }

    /// <summary>Returns the object for reuse once it is no longer referenced.</summary>
    public void Release()
    {
        if (Headers.Capacity > MostHeaders)
            return;
        Headers.Clear();
        PathAndQuery = Host = "";
        Trace = default;
        Grpc = null;
        Spares<UpstreamRequest>.Keep(this);
    }

    private static void CopyHeaders(Exchange exchange, HeaderChanges changes, List<KeyValuePair<string, StringValues>> headers)
    {
        var incoming = exchange.Request.Headers;
        var underscores = exchange.Listener?.Limits.Underscores ?? UnderscoreFields.Drop;
        var left = RequestChecks.ForwardsLeft(exchange.Request);
        var nominated = HeaderRules.Nominated(exchange.Framing?.Connection ?? incoming.Connection);
        foreach (var (name, values) in incoming)
        {
            var fate = HeaderRules.OfRequest(name, underscores);
            if (fate == HeaderHandling.Drop || (fate == HeaderHandling.KeepIfTrusted && exchange.TrustedPeer?.TrustsField(name) != true))
                continue;
            if (nominated is not null && nominated.Contains(name) && name != "Content-Length")
                continue;
            if (changes.Removes(name) || exchange.Outbound?.Removes(name) == true)
                continue;
            if (exchange.IsExtendedConnect && name.Equals("Sec-WebSocket-Key", StringComparison.OrdinalIgnoreCase))
                continue; // RFC 8441 section 5: it has no meaning there, and the HTTP/1.1 handshake generates its own
            if (left is { } forwards && name.Equals("Max-Forwards", StringComparison.OrdinalIgnoreCase))
                headers.Add(new(name, (forwards - 1).ToString(System.Globalization.CultureInfo.InvariantCulture)));
            else if (fate != HeaderHandling.Limit)
                headers.Add(new(name, exchange.Bytes(values)));
            else if (Baggage.Limit(values) is { Count: > 0 } within)
                headers.Add(new(name, within));
        }

        if (HeaderRules.TakesTrailers(incoming.TE))
            headers.Add(new("TE", "trailers"));
    }

    internal static void AddOwnHeaders(Exchange exchange, List<KeyValuePair<string, StringValues>> headers)
    {
        var request = exchange.Request;
        var incoming = request.Headers;
        var trusted = exchange.TrustedPeer;
        headers.Add(
            new("X-Forwarded-For", Chain(trusted is { TrustsFor: true } ? incoming["X-Forwarded-For"].ToString() : "", exchange.Peer))
        );
        headers.Add(
            new(
                "X-Forwarded-Proto",
                trusted is { TrustsProto: true } && incoming["X-Forwarded-Proto"] is { Count: > 0 } proto ? proto : exchange.Routed.Scheme
            )
        );
        if (trusted is not null && trusted.TrustsField("X-Forwarded-Host") && incoming["X-Forwarded-Host"] is { Count: > 0 } host)
            headers.Add(new("X-Forwarded-Host", host));
        else if (exchange.Host.Length > 0)
            headers.Add(new("X-Forwarded-Host", exchange.Host));

        // RFC 7239 is continued if a trusted proxy began it; a value that does not parse is dropped.
        if (trusted is { TrustsForwarded: true } && incoming["Forwarded"] is { Count: > 0 } forwarded)
        {
            var own = "for=" + ForwardedNode(exchange.Peer.Text) + ";proto=" + request.Scheme;
            headers.Add(new("Forwarded", ForwardedChain.Parse(forwarded)?.With(own) ?? own));
        }

        var identity = exchange.Snapshot.Identity;
        var via =
            request.IsHttp11 ? identity.ViaHttp11
            : request.IsHttp2 ? identity.ViaHttp2
            : ViaVersion(request.Protocol) + " " + identity.Via;
        headers.Add(new("Via", incoming.Via.Count > 0 ? StringValues.Concat(incoming.Via, via) : via));
    }

    /// <summary>Appends the peer to a chain. A peer without an address adds nothing: a reader from the right would stop there.</summary>
    private static string Chain(string before, Peer peer) =>
        before.Length == 0 ? peer.Text
        : peer.Address is null ? before
        : before + ", " + peer.Text;

    /// <summary>Formats a node. RFC 7239 section 6: IPv6 addresses are enclosed in brackets and quotes.</summary>
    private static string ForwardedNode(string address) => address.Contains(':') ? $"\"[{address}]\"" : address;

    private static string ViaVersion(string protocol) => HttpProtocol.IsHttp3(protocol) ? "3.0" : "1.0";
}
