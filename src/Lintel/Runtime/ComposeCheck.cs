using System.Text.Json;
using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Runtime;

/// <summary>
/// Checks a composition made in code for what the grammar checks in files: values that would hang, throw or do harm when the first request
/// arrives.
/// </summary>
internal sealed class ComposeCheck(ProblemSink problems)
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private bool _isRight = true;

    /// <summary>Checks a composition.</summary>
    /// <returns>False if something is wrong; it is then reported.</returns>
    public bool Check(ComposeConfig config, KeyPath path)
    {
        if (problems.IsWritten(path["calls"]))
            return true; // the grammar has checked it
        Expect(config.Calls.Count > 0, "missing-key", path["calls"], "the composition has no calls", "add a call");
        Expect(IsTime(config.Deadline), "out-of-range", path["deadline"], "the deadline must be from 1 ms to 1 h", "choose another value");
        Expect(
            config.Limits is { Call: >= 1 << 10 and <= 1 << 30, Total: >= 1 << 10 and <= 4L << 30, Requests: >= 1 and <= 10_000 },
            "out-of-range",
            path["limits"],
            "`Call` must be from 1 KiB to 1 GiB, `Total` up to 4 GiB, and `Requests` from 1 to 10 000",
            "choose other values"
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
                "`Stream` sends the part of each call unchanged, and `Respond` and `Variants` shape the response as a whole",
                "keep one of them; only `Respond.Errors` can be combined with `Stream`"
            );
        return _isRight;
    }

    private void Check(string name, CallConfig call, KeyPath path)
    {
        Expect(
            ComposeConfig.IsCallName(name),
            "bad-value",
            path,
            $"`{name}` is not a valid call name",
            "use letters, digits and `_`, starting with a letter, at most 64; `item`, `items` and `request` are reserved in expressions"
        );
        Expect(IsTime(call.Timeout), "out-of-range", path["timeout"], "the timeout must be from 1 ms to 1 h", "choose another value");
        Expect(
            call is { Concurrency: >= 1 and <= 100, MaxItems: >= 1 and <= 10_000, Batch: null or (>= 1 and <= 1000) },
            "out-of-range",
            path["forEach"],
            "`Concurrency` must be from 1 to 100, `MaxItems` from 1 to 10 000, and `Batch` from 1 to 1 000",
            "choose other values"
        );
        Expect(
            call.Redirects is >= 0 and <= 10,
            "out-of-range",
            path["redirects"],
            "`Redirects` must be from 0 to 10",
            "choose another value"
        );
        Expect(
            call.ForEach is not null || call is { Join: null, Batch: null },
            "conflict",
            path["forEach"],
            "`Join` and `Batch` require `ForEach`",
            "set `ForEach`, or remove them"
        );
        Expect(
            call.Join is null || JoinConfig.IsPlace(call.Join.Into),
            "bad-value",
            path["join"]["into"],
            "`Into` must be a call name, followed by the path of the list in its value",
            "write `orders` or `page.items`"
        );
        CheckFailing(call, path);
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
            "the timeout must be from 1 ms to 1 h",
            "choose another value"
        );
    }

    /// <summary>Checks what applies when the call fails, or is slow.</summary>
    private void CheckFailing(CallConfig call, KeyPath path)
    {
        Expect(
            call.ForEach is null || call.Passthrough.Count == 0,
            "conflict",
            path["passthrough"],
            "a `ForEach` has several responses, and none of them can become the composed response",
            "remove `Passthrough`"
        );
        Expect(
            call.Optional || call.Fallback.Count == 0,
            "conflict",
            path["fallback"],
            "a required call cannot have a fallback: its failure fails the composition",
            "set `Optional`"
        );
        Expect(
            call.Fallback.All(f => f.Stale != (f.Value is not null) && IsJson(f.Value)),
            "bad-value",
            path["fallback"],
            "a fallback is either `Stale` or a `Value` that is JSON",
            "write a value as JSON text, such as `[]`"
        );
        Expect(
            call.Request.IsSafe || (call is { Hedge: null, Collapse: false } && !call.Fallback.Any(f => f.Stale)),
            "conflict",
            path,
            "`Hedge`, `Collapse` and `Stale` would repeat or share a request with side effects",
            "use them with GET or HEAD only"
        );
        Expect(
            !call.Request.IsSafe || call.Compensate is null,
            "conflict",
            path["compensate"],
            "a request with a safe method needs no compensation",
            "remove it"
        );
    }

    private void Check(CallRequestConfig request, KeyPath path) =>
        Expect(
            CallRequestConfig.Methods.Contains(request.Method),
            "bad-value",
            path,
            $"`{request.Method}` is not a method that a call can use",
            $"the methods are {string.Join(", ", CallRequestConfig.Methods)}"
        );

    private void Check(ComposedAnswerConfig answer, KeyPath path)
    {
        Expect(
            answer.Status is null or (>= 200 and <= 299),
            "out-of-range",
            path["status"],
            "the status of a composed response must be from 200 to 299",
            "choose another value"
        );
        foreach (var name in answer.Headers.Keys)
            Expect(
                HeaderGrammar.IsToken(name) && !HeaderGrammar.IsGoverned(name),
                "bad-value",
                path["headers"][name],
                $"`{name}` is not a header that a configuration may set",
                "remove it"
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
            $"a shape is exactly one of expression, members, items and code, and this one is {set} of them",
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
