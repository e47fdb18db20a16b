using System.Buffers;
using System.Collections.Frozen;
using System.Text;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Config;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Transport.Http1;
using Microsoft.Extensions.Primitives;

namespace Lintel.Composition.Plan;

/// <summary>A field of the client that calls receive.</summary>
/// <param name="Name">The field name.</param>
/// <param name="NeedsTrust">Whether it is accepted from a trusted proxy only.</param>
internal readonly record struct ForwardedField(string Name, bool NeedsTrust);

/// <summary>
/// The fields that all calls of one composed answer receive: the listed fields of the client, and the gateway's own. Built once.
/// </summary>
internal sealed class CallFields
{
    private static readonly SearchValues<char> Breaks = SearchValues.Create("\r\n\0");

    /// <summary>
    /// Fields that the gateway controls in a call regardless of the list: its own media type, an encoding that it can read, conditions for
    /// its stored answers, no ranges.
    /// </summary>
    private static readonly FrozenSet<string> SetByGateway = new[]
    {
        "Content-Type",
        "Content-Encoding",
        "Content-Length",
        "Accept-Encoding",
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "If-Range",
        "Range",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Fields that the gateway itself writes from what it knows of the client beyond its fields: an address, a proxy's statement, a trace.
    /// </summary>
    private static readonly FrozenSet<string> DerivedFromPeer = new[]
    {
        "Forwarded",
        "Via",
        "X-Real-IP",
        "traceparent",
        "tracestate",
        "baggage",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The gateway's own user agent, sent if the client's is not passed on (RFC 9110 section 10.1.5).</summary>
    private static readonly string UserAgent = "Lintel/" + typeof(CallFields).Assembly.GetName().Version!.ToString(3);

    private readonly AnswerBody _lines = new();

    private CallFields(List<KeyValuePair<string, StringValues>> list) => List = list;

    /// <summary>The fields one by one.</summary>
    public List<KeyValuePair<string, StringValues>> List { get; }

    /// <summary>Returns the listed fields that can be sent in calls: computed once, when the snapshot is compiled.</summary>
    public static ForwardedField[] Plan(IEnumerable<string> names) =>
        [
            .. names
                .Where(n => !SetByGateway.Contains(n))
                .Select(n => (Name: n, Fate: HeaderRules.OfRequest(n, UnderscoreFields.Allow)))
                .Where(f => f.Fate != HeaderHandling.Drop)
                .Select(f => new ForwardedField(f.Name, f.Fate == HeaderHandling.KeepIfTrusted)),
        ];

    /// <summary>Returns why a listed field cannot be sent in calls; <see langword="null"/> if it can.</summary>
    public static string? Refusal(string name)
    {
        if (name == "*")
            return "`*` is not allowed: list the headers that calls receive by name";
        if (SetByGateway.Contains(name))
            return $"`{name}` is set by the gateway in calls";
        return HeaderRules.OfRequest(name, UnderscoreFields.Allow) == HeaderHandling.Drop
            ? $"`{name}` is not forwarded to services, or is generated for them"
            : null;
    }

    /// <summary>Whether the value of a field does not depend on the client's fields alone.</summary>
    public static bool IsDerivedFromPeer(string name) =>
        name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase) || DerivedFromPeer.Contains(name);

    public static CallFields Of(Exchange exchange, ForwardedField[] forwarded)
    {
        var list = new List<KeyValuePair<string, StringValues>>(forwarded.Length + 8);
        var incoming = exchange.Request.Headers;
        var nominated = HeaderRules.Nominated(exchange.Framing?.Connection ?? incoming.Connection);
        var underscores = exchange.Listener?.Limits.Underscores ?? UnderscoreFields.Drop;
        foreach (var (name, needsTrust) in forwarded)
        {
            if (
                !incoming.TryGetValue(name, out var values)
                || nominated?.Contains(name) == true
                || (needsTrust && exchange.TrustedPeer?.TrustsField(name) != true)
            )
                continue;
            if ((name.Contains('_') && underscores == UnderscoreFields.Drop) || exchange.Outbound?.Removes(name) == true)
                continue;
            list.Add(new(name, exchange.Bytes(values)));
        }

        if (!list.Exists(f => f.Key.Equals("User-Agent", StringComparison.OrdinalIgnoreCase)))
            list.Add(new("User-Agent", UserAgent));
        list.Add(new("Accept-Encoding", "identity")); // all answers go into one document
        UpstreamRequest.AddOwnHeaders(exchange, list);
        exchange.Outbound?.AddTo(list);
        foreach (var cookie in exchange.Outbound?.RemovedCookies ?? [])
            UpstreamRequest.RemoveCookie(list, cookie);
        UpstreamRequest.RemoveOwnCookies(list, exchange.Snapshot.OwnCookies);
        if (exchange.Trace.State is { } state)
            list.Add(new("tracestate", state));
        var fields = new CallFields(list);
        Write(list, fields._lines); // in advance: calls on several threads read them
        return fields;
    }

    /// <summary>
    /// Returns the fields for a request: its own fields replace the client's, and a cookie that pins the client is of no interest to the
    /// service.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, StringValues>> ListFor(CallRequest request)
    {
        var list = request.Headers is { } own && List.Exists(f => Sets(own, f.Key)) ? List.FindAll(f => !Sets(own, f.Key)) : List;
        if (request.Service.Affinity is not { } affinity || !list.Exists(f => f.Key.Equals("Cookie", StringComparison.OrdinalIgnoreCase)))
            return list;
        list = [.. list];
        UpstreamRequest.RemoveCookie(list, affinity.Cookie);
        return list;
    }

    /// <summary>Adds the same fields to a request, as lines that are rendered once.</summary>
    public void AddTo(Http1Connection connection, CallRequest request)
    {
        var fields = ListFor(request);
        if (fields == List)
        {
            connection.AddFields(_lines.Span);
            return;
        }

        var lines = new ArrayBufferWriter<byte>(256);
        Write(fields, lines);
        connection.AddFields(lines.WrittenSpan);
    }

    /// <summary>Releases the lines: no more calls are sent.</summary>
    public void Release() => _lines.Release();

    private static bool Sets(List<KeyValuePair<string, string>> own, string name) =>
        own.Exists(o => o.Key.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static void Write(IReadOnlyList<KeyValuePair<string, StringValues>> list, IBufferWriter<byte> lines)
    {
        foreach (var (name, values) in list)
        {
            foreach (var value in values)
            {
                if (value is null || value.AsSpan().ContainsAny(Breaks))
                    continue;
                Encoding.Latin1.GetBytes(name, lines);
                lines.Write(": "u8);
                Encoding.Latin1.GetBytes(value, lines);
                lines.Write("\r\n"u8);
            }
        }
    }
}
