using System.Buffers;
using System.Text;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Microsoft.Extensions.Primitives;

namespace Lintel.Composition;

/// <summary>The fields that all calls of one composed answer get: the client's that are on the list, and the gateway's own. Put together once.</summary>
internal sealed class CallFields
{
    private static readonly SearchValues<char> Breaks = SearchValues.Create("\r\n\0");

    private CallFields(List<KeyValuePair<string, StringValues>> list, byte[] lines, string identity)
    {
        List = list;
        Lines = lines;
        Identity = identity;
    }

    /// <summary>One by one.</summary>
    public List<KeyValuePair<string, StringValues>> List { get; }

    /// <summary>As lines of HTTP/1.1.</summary>
    public byte[] Lines { get; }

    /// <summary>What of the client's an answer may depend on: the values of the fields on the list.</summary>
    public string Identity { get; }

    public static CallFields Of(Exchange exchange, string[] forwarded)
    {
        var list = new List<KeyValuePair<string, StringValues>>(forwarded.Length + 8);
        var identity = new StringBuilder();
        foreach (var name in forwarded)
        {
            if (!exchange.Request.Headers.TryGetValue(name, out var values) || HeaderRules.OfRequest(name) == HeaderFate.Drop)
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

    private static byte[] Write(List<KeyValuePair<string, StringValues>> list)
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
