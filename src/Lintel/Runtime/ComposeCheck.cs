using System.Text.Json;
using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Runtime;

/// <summary>
/// What the grammar sees to where a composition is written, seen to where code made it: whatever would hang, throw or harm when the first
/// client comes.
/// </summary>
internal sealed class ComposeCheck(ProblemSink problems)
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private bool _isRight = true;

    /// <summary>Checks.</summary>
    /// <returns>False where something is wrong; it is told then.</returns>
    public bool Check(ComposeConfig config, KeyPath path)
    {
        if (problems.IsWritten(path["calls"]))
            return true; // the grammar has read it
        Expect(config.Calls.Count > 0, "missing-key", path["calls"], "the composition calls nothing", "add a call");
        Expect(IsTime(config.Deadline), "out-of-range", path["deadline"], "the deadline is from 1 ms to 1 h", "choose another one");
        Expect(
            config.Limits is { Call: >= 1 << 10 and <= 1 << 30, Total: >= 1 << 10 and <= 4L << 30, Requests: >= 1 and <= 10_000 },
            "out-of-range",
            path["limits"],
            "`Call` is from 1 KiB to 1 GiB, `Total` to 4 GiB, and `Requests` from 1 to 10 000",
            "choose others"
        );
        foreach (var (name, call) in config.Calls)
            Check(name, call, path["calls"][name]);
        Check(config.Respond, path["respond"]);
        foreach (var (client, variant) in config.Variants)
            Check(variant, path["variants"][client]);
        if (config.Stream)
            Expect(
                config.Variants.Count == 0 && config.Respond is { Body: null, Headers.Count: 0, Status: null },
                "conflict",
                path["stream"],
                "`Stream` sends each call's part as it is, and `Respond` and `Variants` shape the answer as a whole",
                "keep one of them; of `Respond` only `Errors` goes with `Stream`"
            );
        return _isRight;
    }

    private void Check(string name, CallConfig call, KeyPath path)
    {
        Expect(
            ComposeConfig.IsCallName(name),
            "bad-value",
            path,
            $"`{name}` is no name of a call",
            "use letters, digits and `_`, a letter first, at most 64; `item`, `items` and `request` mean something else in expressions"
        );
        Expect(IsTime(call.Timeout), "out-of-range", path["timeout"], "the timeout is from 1 ms to 1 h", "choose another one");
        Expect(
            call is { Concurrency: >= 1 and <= 100, MaxItems: >= 1 and <= 10_000, Batch: null or (>= 1 and <= 1000) },
            "out-of-range",
            path["forEach"],
            "`Concurrency` is from 1 to 100, `MaxItems` from 1 to 10 000, and `Batch` from 1 to 1 000",
            "choose others"
        );
        Expect(call.Redirects is >= 0 and <= 10, "out-of-range", path["redirects"], "`Redirects` is from 0 to 10", "choose another one");
        Expect(
            call.ForEach is not null || call is { Join: null, Batch: null },
            "conflict",
            path["forEach"],
            "`Join` and `Batch` belong to `ForEach`",
            "set `ForEach`, or leave them out"
        );
        Expect(
            call.Join is null || JoinConfig.IsPlace(call.Join.Into),
            "bad-value",
            path["join"]["into"],
            "`Into` is a call's name, and the properties that lead to the list in its value",
            "write `orders` or `page.items`"
        );
        Expect(
            call.ForEach is null || call.Passthrough.Count == 0,
            "conflict",
            path["passthrough"],
            "a `ForEach` has many answers, and none of them can be the composition's own",
            "leave `Passthrough` out"
        );
        Expect(
            call.Optional || call.Fallback.Count == 0,
            "conflict",
            path["fallback"],
            "a required call has no fallback: its failure is the answer's failure",
            "set `Optional`"
        );
        Expect(
            call.Fallback.All(f => f.Stale != (f.Value is not null) && IsJson(f.Value)),
            "bad-value",
            path["fallback"],
            "a fallback is `Stale`, or a `Value` that is JSON",
            "write a value as JSON text, such as `[]`"
        );
        Expect(
            call.Request.IsSafe || (call is { Hedge: null, Collapse: false } && !call.Fallback.Any(f => f.Stale)),
            "conflict",
            path,
            "`Hedge`, `Collapse` and `Stale` would repeat or share a request with effects",
            "use them with GET or HEAD only"
        );
        Expect(
            !call.Request.IsSafe || call.Compensate is null,
            "conflict",
            path["compensate"],
            "a safe request leaves nothing to undo",
            "leave it out"
        );
        Check(call.Request, path["request"]);
        Check(call.Body, path["body"]);
        if (call.Compensate is not { } undo)
            return;
        Check(undo.Request, path["compensate"]["request"]);
        Check(undo.Body, path["compensate"]["body"]);
        Expect(
            IsTime(undo.Timeout),
            "out-of-range",
            path["compensate"]["timeout"],
            "the timeout is from 1 ms to 1 h",
            "choose another one"
        );
    }

    private void Check(CallRequestConfig request, KeyPath path) =>
        Expect(
            CallRequestConfig.Methods.Contains(request.Method),
            "bad-value",
            path,
            $"`{request.Method}` is no method of a call",
            $"the methods are {string.Join(", ", CallRequestConfig.Methods)}"
        );

    private void Check(ComposedAnswerConfig answer, KeyPath path)
    {
        Expect(
            answer.Status is null or (>= 200 and <= 299),
            "out-of-range",
            path["status"],
            "the status of a composed answer is from 200 to 299",
            "choose another one"
        );
        foreach (var name in answer.Headers.Keys)
            Expect(
                HeaderGrammar.IsToken(name) && !HeaderGrammar.IsGoverned(name),
                "bad-value",
                path["headers"][name],
                $"`{name}` is not a header that a configuration may set",
                "leave it out"
            );
        Check(answer.Body, path["body"]);
    }

    private void Check(ShapeConfig? shape, KeyPath path)
    {
        if (shape is null)
            return;
        var set =
            (shape.Expression is null ? 0 : 1)
            + (shape.Members is null ? 0 : 1)
            + (shape.Items is null ? 0 : 1)
            + (shape.Code is null ? 0 : 1);
        Expect(
            set == 1,
            "bad-value",
            path,
            $"a shape is an expression, members, items or code, and this one is {set} of them",
            "set exactly one"
        );
        foreach (var (name, member) in shape.Members ?? [])
            Check(member, path[name]);
        for (var i = 0; i < (shape.Items?.Count ?? 0); i++)
            Check(shape.Items![i], path[i]);
    }

    private void Expect(bool isRight, string code, KeyPath path, string message, string hint)
    {
        _isRight &= isRight;
        if (!isRight)
            problems.Add(code, path, message, hint);
    }

    private static bool IsTime(TimeSpan? time) => time is null || (time >= TimeSpan.FromMilliseconds(1) && time <= Longest);

    private static bool IsJson(string? text)
    {
        if (text is null)
            return true;
        try
        {
            using var document = JsonDocument.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
