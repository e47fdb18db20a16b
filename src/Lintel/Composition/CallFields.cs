using System.Buffers;
using System.Collections.Frozen;
using System.Text;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Microsoft.Extensions.Primitives;

namespace Lintel.Composition;

/// <summary>The fields that all calls of one composed answer get: the client's that are on the list, and the gateway's own. Put together once.</summary>
internal sealed class CallFields
{
    private static readonly SearchValues<char> Breaks = SearchValues.Create("\r\n\0");

    /// <summary>Fields that the gateway needs for itself in a call, whatever the list says: a body of its own type, an encoding that it can read, a condition for what it has kept, a whole answer.</summary>
    private static readonly FrozenSet<string> Own = new[] { "Content-Type", "Content-Encoding", "Content-Length", "Accept-Encoding", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private CallFields(List<KeyValuePair<string, StringValues>> list, byte[] lines, string identity)
    {
        List = list;
        Lines = lines;
        Identity = identity;
    }

    /// <summary>One by one.</summary>
    public List<KeyValuePair<string, StringValues>> List { get; }

    /// <summary>As lines of HTTP/1.1.</summary>
    private byte[] Lines { get; }

    /// <summary>What of the client's an answer may depend on: the values of the fields on the list.</summary>
    public string Identity { get; }

    public static CallFields Of(Exchange exchange, string[] forwarded)
    {
        var list = new List<KeyValuePair<string, StringValues>>(forwarded.Length + 8);
        var identity = new StringBuilder();
        var incoming = exchange.Request.Headers;
        var nominated = HeaderRules.Nominated(exchange.Framing?.Connection ?? incoming.Connection);
        foreach (var name in forwarded)
        {
            if (!incoming.TryGetValue(name, out var values) || !Passes(exchange, name) || nominated?.Contains(name) == true)
                continue;
            list.Add(new(name, values));
            identity.Append(name).Append(':').Append(values.ToString()).Append('\n');
        }

        list.Add(new("Accept-Encoding", "identity")); // what comes in goes into one document
        UpstreamRequest.AddOwnHeaders(exchange, list);
        if (exchange.Trace.State is { } state)
            list.Add(new("tracestate", state));
        return new CallFields(list, Write(list), identity.ToString());
    }

    /// <summary>Those that a request gets: what it sets itself takes the client's place.</summary>
    public IReadOnlyList<KeyValuePair<string, StringValues>> ListFor(CallRequest request) =>
        request.Headers is { } own && List.Exists(f => Sets(own, f.Key)) ? List.FindAll(f => !Sets(own, f.Key)) : List;

    /// <summary>The same as lines of HTTP/1.1.</summary>
    public ReadOnlySpan<byte> LinesFor(CallRequest request) =>
        ListFor(request) is var fields && fields == List ? Lines : Write(fields);

    private static bool Sets(List<KeyValuePair<string, string>> own, string name) => own.Exists(o => o.Key.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static bool Passes(Exchange exchange, string name) => !Own.Contains(name) && HeaderRules.OfRequest(name) switch
    {
        HeaderFate.Drop => false,
        HeaderFate.KeepIfTrusted => exchange.Snapshot.TrustedProxies.Trusts(exchange.Peer.Address),
        _ => true,
    };

    private static byte[] Write(IReadOnlyList<KeyValuePair<string, StringValues>> list)
    {
        var lines = new StringBuilder(256);
        foreach (var (name, values) in list)
        {
            foreach (var value in values)
            {
                if (value is not null && !value.AsSpan().ContainsAny(Breaks))
                    lines.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }

        return Encoding.Latin1.GetBytes(lines.ToString());
    }
}
