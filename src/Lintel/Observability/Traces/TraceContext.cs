using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Lintel.Observability.Traces;

/// <summary>A place in a trace: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context-1/).</summary>
/// <param name="TraceId">The trace.</param>
/// <param name="SpanId">The parent span; default if there is none.</param>
/// <param name="IsSampled">Whether the parent was sampled.</param>
/// <param name="State">The <c>tracestate</c>, as forwarded.</param>
/// <param name="IsRemote">Whether it was received in a request.</param>
internal readonly record struct TraceContext(
    ActivityTraceId TraceId,
    ActivitySpanId SpanId,
    bool IsSampled,
    string? State,
    bool IsRemote = false
)
{
    /// <summary>Length of <c>00-TRACEID-PARENTID-FLAGS</c> (section 3.2.2).</summary>
    public const int TextLength = 55;

    private const int TraceIdAt = 3;
    private const int SpanIdAt = 36;
    private const int FlagsAt = 53;

    /// <summary>A new trace that is not recorded.</summary>
    public static TraceContext NewRoot() => new(ActivityTraceId.CreateRandom(), default, false, null);

    /// <summary>The place of a span that is under way.</summary>
    public static TraceContext Of(Activity span) => new(span.TraceId, span.SpanId, span.Recorded, span.TraceStateString);

    /// <summary>
    /// Parses the trace context of a request. An invalid <c>tracestate</c> is ignored; with an invalid <c>traceparent</c> there is no
    /// context (section 3.4, steps 3 to 5).
    /// </summary>
    public static bool TryParse(StringValues traceParent, StringValues traceState, out TraceContext context)
    {
        context = default;
        if (traceParent.Count != 1 || traceParent[0] is not { } text || !IsWellFormed(text))
            return false;
        var sampled = (HexDigit(text[FlagsAt + 1]) & 1) != 0; // the only flag of level 1; others are not passed on
        context = new TraceContext(
            ActivityTraceId.CreateFromString(text.AsSpan(TraceIdAt, 32)),
            ActivitySpanId.CreateFromString(text.AsSpan(SpanIdAt, 16)),
            sampled,
            TraceState.Parse(traceState),
            IsRemote: true
        );
        return true;
    }

    /// <summary>
    /// The <c>traceparent</c> for the next hop. Always version 00, with a new parent id: that of a span if there is one, otherwise a random
    /// one (section 3.3).
    /// </summary>
    public string ToTraceParent(Activity? span)
    {
        var parent = span?.SpanId ?? ActivitySpanId.CreateRandom();
        return $"00-{TraceId.ToHexString()}-{parent.ToHexString()}-{(span?.Recorded ?? IsSampled ? "01" : "00")}";
    }

    /// <summary>The same as <see cref="ToTraceParent"/>, as the <see cref="TextLength"/> bytes that go on the wire.</summary>
    public void Write(Span<byte> text, Activity? span)
    {
        "00-"u8.CopyTo(text);
        Encoding.Latin1.GetBytes(TraceId.ToHexString(), text[TraceIdAt..]); // .NET keeps ids as text
        text[SpanIdAt - 1] = (byte)'-';
        if (span is null)
            WriteNewId(text[SpanIdAt..]);
        else
            Encoding.Latin1.GetBytes(span.SpanId.ToHexString(), text[SpanIdAt..]);
        text[FlagsAt - 1] = (byte)'-';
        (span?.Recorded ?? IsSampled ? "01"u8 : "00"u8).CopyTo(text[FlagsAt..]);
    }

    private static void WriteNewId(Span<byte> text)
    {
        Span<byte> id = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(id, Random.Shared.NextInt64() | 1); // all zeros is no id
        Convert.TryToHexStringLower(id, text, out _);
    }

    /// <summary>The context as the parent of a span. Without a span id the span is the root of a trace with a given id.</summary>
    public ActivityContext ToParent() =>
        new(TraceId, SpanId, IsSampled ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None, State, IsRemote);

    /// <summary>
    /// Section 3.2.2, and 3.3 for versions that are not known yet: their first 55 characters mean the same, and what follows begins with a
    /// dash.
    /// </summary>
    private static bool IsWellFormed(string text)
    {
        if (text.Length < TextLength || !IsHex(text.AsSpan(0, 2)) || text is ['f', 'f', ..])
            return false;
        if (text.Length > TextLength && (text is ['0', '0', ..] || text[TextLength] != '-'))
            return false;
        return text[2] == '-'
            && text[35] == '-'
            && text[52] == '-'
            && IsId(text.AsSpan(TraceIdAt, 32))
            && IsId(text.AsSpan(SpanIdAt, 16))
            && IsHex(text.AsSpan(FlagsAt, 2));
    }

    private static bool IsId(ReadOnlySpan<char> text) => IsHex(text) && text.ContainsAnyExcept('0');

    /// <summary>Lower case only (section 3.2.2.1).</summary>
    private static bool IsHex(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (!char.IsAsciiHexDigitLower(c))
                return false;
        }

        return true;
    }

    private static int HexDigit(char c) => c <= '9' ? c - '0' : c - 'a' + 10;
}
