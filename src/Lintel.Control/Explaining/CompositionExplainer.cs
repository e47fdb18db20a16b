using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Pipeline;

namespace Lintel.Control.Explaining;

/// <summary>Explains a call plan.</summary>
internal sealed class CompositionExplainer(CallPlan plan, ComposeConfig config, Exchange exchange)
{
    public ExplainedComposition Explain()
    {
        var levels = new int[plan.Calls.Length];
        foreach (var call in plan.Calls)
            levels[call.Index] = Level(call);
        return new ExplainedComposition
        {
            Deadline = plan.Deadline,
            Levels =
            [
                .. plan
                    .Calls.GroupBy(c => levels[c.Index])
                    .OrderBy(g => g.Key)
                    .Select(g => (IReadOnlyList<ExplainedCall>)[.. g.Select(Explain)]),
            ],
            Headers =
            [
                .. CallFields
                    .Of(exchange, plan.Forwarded)
                    .List.Where(h => h.Key != "traceparent")
                    .Select(h => ExplainedForward.Field(h.Key, h.Value.ToString())),
            ],
            Answer = Answer(),
        };

        // The graph has no cycles; its depth is at most the number of calls.
        int Level(PlannedCall call) =>
            levels[call.Index] > 0 || call.Needs.Length == 0
                ? levels[call.Index]
                : levels[call.Index] = 1 + call.Needs.Max(n => Level(plan.Calls[n]));
    }

    private ExplainedCall Explain(PlannedCall call)
    {
        var isRendered = call.Request.Target.TryRender(
            exchange,
            new WrittenReferences(call.Request.References),
            out var target,
            out var problem
        );
        var written = isRendered ? WrittenReferences.Resolve(target, call.Request.References) : call.Request.Config.Target;
        return new ExplainedCall
        {
            Name = call.Name,
            Request = $"{call.Request.Config.Method} {call.Request.Service.Name}{written}",
            Problem = problem,
            Service = call.Request.Service.Name,
            Needs = [.. call.Needs.Select(n => new ExplainedNeed(plan.Calls[n].Name, Because(call, plan.Calls[n])))],
            IsOptional = call.Config.Optional,
            Timeout = call.Config.Timeout,
            IsParsed = call.NeedsDocument || call.FanOut is { Join: not null } or { Batch: > 0 },
            Traits = [.. Traits(call)],
        };
    }

    private static string Because(PlannedCall call, PlannedCall needed)
    {
        var reasons = new List<string>();
        if (call.After.Contains(needed.Index))
            reasons.Add("after: it must have succeeded");
        if (LooksAt(call.Condition))
            reasons.Add("if " + call.Condition!.Text);
        if (LooksAt(call.FanOut?.Items))
            reasons.Add("forEach " + call.FanOut!.Items.Text);
        reasons.AddRange(call.Request.References.Where(LooksAt).Select(r => $"request {{{r.Text}}}").Distinct());
        if (call.Request.Body?.Roots?.Contains(needed.Name) == true)
            reasons.Add("body");
        return string.Join(", ", reasons);

        bool LooksAt(Expression? expression) => expression?.Roots?.Any(r => r.Name == needed.Name) == true;
    }

    private IEnumerable<string> Traits(PlannedCall call)
    {
        var own = call.Config;
        if (plan.ShapeFor(exchange.Routed).Unneeded?[call.Index] == true)
            yield return "not sent: this response does not need it";
        if (own.If is { } condition)
            yield return $"only if {condition}; otherwise skipped, with the value null";
        if (call.FanOut is { } fanOut)
        {
            yield return $"for each distinct item of {fanOut.Items.Text}, at most {fanOut.MaxItems}: "
                + $"{(fanOut.Batch > 0 ? $"{fanOut.Batch} items per request" : "one request each")}, {fanOut.Concurrency} at once";
            if (fanOut.Join is { } join)
                yield return $"joined into {join.Place} as {join.As}{(join.Many ? ", a list," : ",")} where {own.Join!.On}";
        }

        if (own.Select is { } part)
            yield return $"its value is {part} of the response";
        if (own.Body is { } body)
            yield return call.Request.PassesBody ? "body: the client's body, byte for byte" : $"body: {Compact(body)}";
        foreach (var (name, template) in call.Request.Headers)
            yield return $"header {name}: {ExplainedForward.Field(name, template.RenderForHeader(exchange) ?? "").Value}";
        if (own.Optional)
        {
            var sources = own.Fallback.Select(f => f.Stale ? "the last good response" : f.Value!);
            yield return "if it fails: " + string.Join(", then ", own.Fallback.Any(f => !f.Stale) ? sources : sources.Append("null"));
        }
        if (own.Passthrough.Count > 0)
            yield return $"the statuses {string.Join(", ", own.Passthrough)} become the status of the response";
        if (own.Redirects > 0)
            yield return $"follows {own.Redirects} redirect{(own.Redirects == 1 ? "" : "s")} within the same service";
        foreach (var rule in Failing(call))
            yield return rule;
        if (own.Collapse)
            yield return "shared by clients that send the same request at the same time";
        if (call.Compensation is { } undo)
            yield return $"compensated, if the composition fails, by {undo.Config.Method} {undo.Service.Name}{undo.Config.Target} "
                + $"within {Scalars.Format(own.Compensate!.Timeout)}";
        if (own.Format != AnswerFormat.Auto)
            yield return $"read as {own.Format.ToString().ToLowerInvariant()}, regardless of its media type";
    }

    /// <summary>What its service is configured to do if attempts fail; a <c>hedge</c> of the call takes precedence.</summary>
    private static IEnumerable<string> Failing(PlannedCall call)
    {
        var service = call.Request.Service;
        var isSafe = call.Request.Config.IsSafe;
        var rules = service.Config with { Hedge = call.Config.Hedge ?? (isSafe ? service.Config.Hedge : null) };
        return ExplainedFailing
            .Of(service.Name, rules, Idempotency.Allows(call.Request.Config.Method), isSafe)
            .Rules.Skip(rules.Retry is null ? 1 : 0);
    }

    private ExplainedShape Answer()
    {
        var shape = plan.ShapeFor(exchange.Routed);
        var variant = shape.Client is null ? null : config.Variants[shape.Client];
        var body = variant?.Body ?? config.Respond.Body;
        var wantsEvents = exchange.Request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase);
        return new ExplainedShape
        {
            Variant = shape.Client,
            Status = shape.Status,
            MediaType =
                !plan.Streams ? "application/json"
                : wantsEvents ? "text/event-stream"
                : "application/x-ndjson",
            Body = [.. body is null ? DefaultBody() : Lines(body, "")],
            Headers = [.. shape.Headers.Select(h => new ExplainedHeader(h.Name, h.Value.Text))],
            ReportsErrors = shape.ReportsErrors,
        };
    }

    private IEnumerable<string> DefaultBody() =>
        plan
            .Calls.Where(c => c.Property is not null)
            .Select(c => c.IsSpread ? $"…: the properties of {c.Name}" : $"{c.Config.As ?? c.Name}: {c.Name}");

    private static IEnumerable<string> Lines(ShapeConfig shape, string indent)
    {
        if (Leaf(shape) is { } text)
            return [indent + text];
        var parts = shape.Members?.Select(m => (Lead: m.Key + ": ", Shape: m.Value)) ?? shape.Items!.Select(i => (Lead: "- ", Shape: i));
        return parts.SelectMany(p =>
            Leaf(p.Shape) is { } leaf ? [indent + p.Lead + leaf] : Lines(p.Shape, indent + "  ").Prepend(indent + p.Lead.TrimEnd())
        );
    }

    /// <summary>Returns the source of one value; <see langword="null"/> for objects and lists.</summary>
    private static string? Leaf(ShapeConfig shape) => shape.Expression ?? (shape.Code is null ? null : "produced by code");

    private static string Compact(ShapeConfig shape) =>
        shape switch
        {
            { Expression: { } text } => text,
            { Members: { } members } => "{ " + string.Join(", ", members.Select(m => $"{m.Key}: {Compact(m.Value)}")) + " }",
            _ => "[ " + string.Join(", ", shape.Items!.Select(Compact)) + " ]",
        };

    /// <summary>
    /// References without values: each is rendered as a mark of unreserved characters, and replaced with its text when the target is
    /// complete.
    /// </summary>
    private sealed class WrittenReferences(Expression[] references) : ReferencedValues
    {
        public static string Resolve(string target, Expression[] references)
        {
            for (var i = references.Length - 1; i >= 0; i--)
                target = target.Replace(Mark(i), "{" + references[i].Text + "}", StringComparison.Ordinal);
            return target;
        }

        public override string? Text(int slot) => slot < references.Length ? Mark(slot) : null;

        public override string? QueryText(int slot) => Text(slot);

        private static string Mark(int slot) => $"~reference.{slot}~";
    }
}
