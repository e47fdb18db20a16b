using System.Buffers;
using System.Text;
using System.Text.Json;
using Lintel.Errors;

namespace Lintel.Composition;

/// <summary>Makes one document of the calls' parts: in declared order, whatever came first; and what services wrote goes through byte for byte.</summary>
internal static class JsonMerge
{
    private static readonly byte[] ClosingBrace = "}"u8.ToArray();

    private static readonly JsonWriterOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Puts answers into the lists that they belong to.</summary>
    /// <param name="runner">Whose calls have ended.</param>
    /// <param name="which">Only those joins; all without it. Other calls may still run then, and their expressions see the lists as they came.</param>
    public static void Join(CallRunner runner, Func<PlannedCall, bool>? which = null)
    {
        foreach (var (call, join) in runner.Plan.Joins)
        {
            if (which is not null && !which(call))
                continue;
            var parent = runner.Results[join.Into];
            var joined = JoinedList.Of(parent.Part.Value, runner.Results[call.Index].Part.Value, join);
            parent.Part = JsonPart.Of(joined);
            if (which is null)
                runner.Set(join.Into, joined);
        }
    }

    /// <summary>The pieces of an answer that is no more than the calls' parts with names before them: nothing is copied.</summary>
    /// <returns><see langword="null"/> where there is more to do.</returns>
    public static ReadOnlyMemory<byte>[]? Pieces(CallRunner runner, AnswerShape shape)
    {
        if (shape.Body is not null || TellsErrors(runner, shape) || runner.Plan.Conflict is not null)
            return null;
        var calls = runner.Plan.Calls;
        var pieces = new ReadOnlyMemory<byte>[(calls.Length * 2) + 1];
        var count = 0;
        foreach (var result in runner.Results)
        {
            if (result.Call.Property is not { } lead)
                continue;
            if (result.Call.IsSpread || !result.Part.IsText)
                return null;
            pieces[count++] = count == 1 ? runner.Plan.Opening : lead;
            pieces[count++] = result.Part.Text;
        }

        pieces[count] = ClosingBrace; // places after it stay empty: of calls that are joined into others
        return pieces;
    }

    /// <summary>Writes an answer's body.</summary>
    /// <returns>Why it cannot be written.</returns>
    public static GatewayError? Write(CallRunner runner, AnswerShape shape, AnswerBody body)
    {
        var tellsErrors = TellsErrors(runner, shape);
        if (shape.Body is { } written)
        {
            if (written.Write(new ShapeInput(runner.Scope(), new PartTexts(runner)), body, runner.Plan.Limits.Total) is { } error)
                return error;
        }
        else if (runner.Plan.Conflict is { } rule)
        {
            if (!MergedObject.Of(runner, rule).WriteTo(body, runner.Plan.Limits.Total))
                return new GatewayError(GatewayErrorKind.AnswerTooLarge);
        }
        else
        {
            WriteProperties(runner, body, tellsErrors);
        }

        // Whatever made it: an object that was written here ends with its brace.
        if (tellsErrors && body.Span[^1] == '}')
        {
            body.TakeBack(1);
            body.Write(body.Span[^1] == '{' ? "\"_errors\":"u8 : ",\"_errors\":"u8);
            WriteErrors(runner, body);
            body.Write("}"u8);
        }

        return null;
    }

    /// <summary>What the client may know of parts that failed, as RFC 9457 objects, each with a JSON Pointer (RFC 6901) to its place in the default answer.</summary>
    public static void WriteErrors(CallRunner runner, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, Readable);
        json.WriteStartArray();
        foreach (var result in runner.Results)
        {
            if (result.Error is not { } error)
                continue;
            json.WriteStartObject();
            json.WriteString("type"u8, error.Rule.Type);
            json.WriteString("title"u8, error.Rule.Title);
            json.WriteNumber("status"u8, error.Rule.Status);
            if (error.Detail is { } detail)
                json.WriteString("detail"u8, detail);
            json.WriteString("call"u8, result.Call.Name);
            json.WriteString("pointer"u8, Pointer(runner.Plan, result.Call));
            if (result.Source is { } source)
                json.WriteString("source"u8, source);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static bool TellsErrors(CallRunner runner, AnswerShape shape) => shape.TellsErrors && Array.Exists(runner.Results, r => r.Error is not null);

    private static void WriteProperties(CallRunner runner, AnswerBody body, bool tellsErrors)
    {
        var isFirst = true;
        foreach (var result in runner.Results)
        {
            if (result.Call.Property is not { } lead)
                continue;
            if (!result.Call.IsSpread)
            {
                body.Write(isFirst ? "{"u8 : default);
                body.Write(isFirst ? lead.AsSpan(1) : lead);
                result.Part.WriteTo(body);
                isFirst = false;
                continue;
            }

            // The only call that writes: its object is the answer. Where it has none, there is still a place for what went wrong.
            if (tellsErrors && result.Part.Value.IsNull)
                body.Write("{}"u8);
            else
                result.Part.WriteTo(body);
            return;
        }

        body.Write(isFirst ? "{}"u8 : "}"u8);
    }

    /// <summary>Of a joined call: the list's elements have it, one by one.</summary>
    private static string Pointer(CallPlan plan, PlannedCall call)
    {
        var path = new StringBuilder();
        for (; call.FanOut?.Join is { } join; call = plan.Calls[join.Into])
            path.Insert(0, "/*/" + Escape(join.As));
        if (!call.IsSpread)
            path.Insert(0, "/" + Escape(call.Config.As ?? call.Name));
        return path.ToString();
    }

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
