using System.Buffers;
using System.Text.Json;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>
/// Builds one document from the calls' parts: in declared order, regardless of the order of arrival; text from services is passed through
/// byte for byte.
/// </summary>
internal static class JsonMerge
{
    private static readonly byte[] ClosingBrace = "}"u8.ToArray();
    private static readonly byte[] EmptyObject = "{}"u8.ToArray();
    private static readonly Name ErrorsName = Name.Of("_errors");

    private static readonly JsonWriterOptions Readable = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Joins answers into their lists, and checks that values which share a place are compatible. A call with a value that does not fit
    /// fails.
    /// </summary>
    /// <param name="run">The composition run, with the calls ended.</param>
    /// <param name="which">Limits the joins to some calls; all without it. Other calls may still be running then, and their expressions see
    /// the lists as received.</param>
    public static void Settle(CompositionRun run, Func<PlannedCall, bool>? which = null)
    {
        foreach (var (call, join) in run.Plan.Joins)
        {
            if (which is null || which(call))
                Join(run, run.Results[call.Index], join, isLast: which is null);
        }

        if (run.Plan.SharesRoot && run.Shape.Body is null)
            CheckRoot(run);
    }

    /// <summary>Builds the body of the answer, including the report of failed parts.</summary>
    /// <returns>The error if there is none.</returns>
    public static GatewayError? Compose(CompositionRun run, JsonPieces body)
    {
        var shape = run.Shape;
        var reportsErrors = shape.ReportsErrors && Array.Exists(run.Results, r => r.Error is not null);
        if (shape.Body is { } written)
        {
            if (written.AddTo(body, new ShapeInput(run.Scope.Of(), new PartTexts(run))) is { } error)
                return error;
        }
        else if (run.Plan.Conflict is { } rule)
            body.Add(MergedObject.Of(run, rule));
        else
            AddProperties(run, body, reportsErrors);

        if (reportsErrors)
        {
            var errors = new ArrayBufferWriter<byte>();
            WriteErrors(run, errors);
            body.AddProperty(ErrorsName, AnswerReader.Parse(errors.WrittenMemory, run.Documents));
        }

        return null;
    }

    /// <summary>
    /// Writes the failed parts for the client as RFC 9457 objects, each with a JSON Pointer (RFC 6901) to its place in the default answer.
    /// </summary>
    public static void WriteErrors(CompositionRun run, IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, Readable);
        json.WriteStartArray();
        foreach (var result in run.Results)
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
            json.WriteString("pointer"u8, Pointer(run.Plan, result.Call));
            if (result.Source is { } source)
                json.WriteString("source"u8, source);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Join(CompositionRun run, CallResult child, Join join, bool isLast)
    {
        var parent = run.Results[join.Into];
        if (parent is { State: not CallState.Succeeded, Source: null } || run.Shape.Unneeded?[child.Call.Index] == true)
            return; // there is no list, which is already reported; or it is not used
        if (JoinedList.TryJoin(parent.Part.Value, child.Part.Value, join, out var joined) is { } problem)
        {
            run.FailLate(child, new GatewayError(GatewayErrorKind.ExpressionFailed, problem));
            if (
                JoinedList.TryJoin(parent.Part.Value, child.Part.Value, join, out joined) is not null
                && JoinedList.TryJoin(parent.Part.Value, Value.Null, join, out joined) is not null
            )
                return;
        }

        parent.Part = JsonPart.Of(joined);
        if (isLast)
            run.Scope.Set(join.Into, joined);
    }

    /// <summary>
    /// Checks the values at the root: next to other properties only an object is valid; without them lists can be merged too.
    /// </summary>
    private static void CheckRoot(CompositionRun run)
    {
        var kind = Array.Exists(run.Plan.Calls, c => c is { Property: not null, IsSpread: false })
            ? JsonValueKind.Object
            : JsonValueKind.Undefined;
        foreach (var result in run.Results)
        {
            if (!result.Call.IsSpread || result.Part.IsNull)
                continue;
            var own = result.Part.Value.Kind;
            if (own is not (JsonValueKind.Object or JsonValueKind.Array) || (kind != JsonValueKind.Undefined && own != kind))
                run.FailLate(
                    result,
                    new GatewayError(
                        GatewayErrorKind.ExpressionFailed,
                        $"a value of type {Evaluation.WordFor(own)} cannot be merged at `.` with the values of other calls"
                    )
                );
            else
                kind = own;
        }
    }

    private static void AddProperties(CompositionRun run, JsonPieces body, bool reportsErrors)
    {
        var isFirst = true;
        foreach (var result in run.Results)
        {
            if (result.Call.Property is not { } lead)
                continue;
            if (result.Call.IsSpread)
            {
                // The only call that writes: its object is the answer. If it has none, there is still a place for the errors.
                if (reportsErrors && result.Part.IsNull)
                    body.Add(EmptyObject);
                else
                    body.Add(result.Part);
                return;
            }

            body.Add(isFirst ? run.Plan.Opening : lead);
            body.Add(result.Part);
            isFirst = false;
        }

        body.Add(isFirst ? EmptyObject : ClosingBrace);
    }

    /// <summary>
    /// Returns the place of a call's value, by RFC 6901. A joined value is in each element of the list: the pointer is that of the list.
    /// </summary>
    private static string Pointer(CallPlan plan, PlannedCall call)
    {
        if (call.FanOut?.Join is { } join)
            return Pointer(plan, plan.Calls[join.Into]) + string.Concat(join.Path.Select(n => "/" + Escape(n.ToString())));
        return call.IsSpread ? "" : "/" + Escape(call.Config.As ?? call.Name);
    }

    private static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
