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

/// <summary>A field of the client's that calls get.</summary>
/// <param name="Name">Its name.</param>
/// <param name="NeedsTrust">Whether only a trusted proxy's is believed.</param>
internal readonly record struct ForwardedField(string Name, bool NeedsTrust);

/// <summary>
/// The fields that all calls of one composed answer get: the client's that are on the list, and the gateway's own. Put together once.
/// </summary>
internal sealed class CallFields
{
    private static readonly SearchValues<char> Breaks = SearchValues.Create("\r\n\0");

    /// <summary>
    /// Fields that the gateway needs for itself in a call, whatever the list says: a body of its own type, an encoding that it can read, a
    /// condition for what it has kept, a whole answer.
    /// </summary>
    private static readonly FrozenSet<string> Own = new[]
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
    /// What the gateway writes itself and of what it knows of the client beside its fields: an address, a proxy's words, a trace.
    /// </summary>
    private static readonly FrozenSet<string> GatewaysWord = new[]
    {
        "Forwarded",
        "Via",
        "X-Real-IP",
        "traceparent",
        "tracestate",
        "baggage",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Who asks, where the client's own name is not passed on (RFC 9110 section 10.1.5).</summary>
    private static readonly string UserAgent = "Lintel/" + typeof(CallFields).Assembly.GetName().Version!.ToString(3);

    private readonly AnswerBody _lines = new();

    private CallFields(List<KeyValuePair<string, StringValues>> list) => List = list;

    /// <summary>One by one.</summary>
    public List<KeyValuePair<string, StringValues>> List { get; }

    /// <summary>Which of the listed fields can go into calls at all: found once, when the snapshot is compiled.</summary>
    public static ForwardedField[] Plan(IEnumerable<string> names) =>
        [
            .. names
                .Where(n => !Own.Contains(n))
                .Select(n => (Name: n, Fate: HeaderRules.OfRequest(n, UnderscoreFields.Allow)))
                .Where(f => f.Fate != HeaderHandling.Drop)
                .Select(f => new ForwardedField(f.Name, f.Fate == HeaderHandling.KeepIfTrusted)),
        ];

    /// <summary>Why a listed field cannot go into calls; <see langword="null"/> where it can.</summary>
    public static string? Refusal(string name)
    {
        if (name == "*")
            return "`*` is not allowed: list the headers that calls receive by name";
        if (Own.Contains(name))
            return $"`{name}` is set by the gateway in calls";
        return HeaderRules.OfRequest(name, UnderscoreFields.Allow) == HeaderHandling.Drop
            ? $"`{name}` is not forwarded to services, or is generated for them"
            : null;
    }

    /// <summary>Whether a field tells the service what no field of the client's does, or not alone.</summary>
    public static bool IsGatewaysWord(string name) =>
        name.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase) || GatewaysWord.Contains(name);

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
                || (needsTrust && exchange.Believed?.Believes(name) != true)
            )
                continue;
            if (name.Contains('_') && underscores == UnderscoreFields.Drop)
                continue;
            list.Add(new(name, exchange.Bytes(values)));
        }

        if (!list.Exists(f => f.Key.Equals("User-Agent", StringComparison.OrdinalIgnoreCase)))
            list.Add(new("User-Agent", UserAgent));
        list.Add(new("Accept-Encoding", "identity")); // what comes in goes into one document
        UpstreamRequest.AddOwnHeaders(exchange, list);
        if (exchange.Trace.State is { } state)
            list.Add(new("tracestate", state));
        var fields = new CallFields(list);
        Write(list, fields._lines); // at once: calls on several threads read them
        return fields;
    }

    /// <summary>Those that a request gets: what it sets itself takes the client's place.</summary>
    public IReadOnlyList<KeyValuePair<string, StringValues>> ListFor(CallRequest request) =>
        request.Headers is { } own && List.Exists(f => Sets(own, f.Key)) ? List.FindAll(f => !Sets(own, f.Key)) : List;

    /// <summary>Adds the same to a request, as lines that were written once.</summary>
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

    /// <summary>No call is sent any more.</summary>
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
