using System.IO.Hashing;
using System.Text;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.JmesPath;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services;

namespace Lintel.Runtime;

/// <summary>Finds a service by name, or reports that there is none.</summary>
internal delegate Service? ServiceFinder(string name, KeyPath path);

/// <summary>
/// Compiles a composition: references become a graph, expressions and templates programs. Errors are reported here, not to clients.
/// </summary>
internal sealed class CompositionCompiler(CompileScope scope, ConditionCompiler conditions, ServiceFinder services)
{
    /// <summary>
    /// The maximum number of calls: a larger composition is a program of its own, and each call has a cost for every answer.
    /// </summary>
    private const int MaxCalls = 100;

    /// <summary>Compiles a composition.</summary>
    /// <param name="route">The route's name.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="parameters">The route's parameters.</param>
    /// <param name="allowed">The path spellings that the route allows.</param>
    /// <returns><see langword="null"/> if something is wrong; it is then reported.</returns>
    public CallPlan? Compile(string route, ComposeConfig config, RouteParameters parameters, PathTraits allowed)
    {
        var path = KeyPath.Root["routes"][route]["compose"];
        var names = config.Calls.Keys.ToList();
        CheckNames(config, names, parameters, path);
        if (!new ComposeCheck(scope.Problems).Check(config, path))
            return null;
        var expressions = new ExpressionCompiler(scope.Problems, names);
        var compiler = new CallCompiler(scope.Problems, services, expressions, names, parameters, allowed);
        var calls = new List<CompiledCall>();
        foreach (var (name, call) in config.Calls)
        {
            if (compiler.Compile(name, call, path["calls"][name]) is { } compiled)
                calls.Add(compiled);
        }

        var answers = CompileAnswers(config, expressions, path);
        var joins = OrderJoins(config, expressions, path["calls"]);
        var valid = CallGraph.Check(compiler.Needs, scope.Problems, path["calls"]) & CheckPlaces(config, path);
        if (
            !valid
            || joins is null
            || answers is not var (answer, variants)
            || calls.Count < names.Count
            || names.Exists(ComposeConfig.IsReserved)
        )
            return null;

        var planned = Link(calls, config, expressions);
        var needed = new NeededCalls(planned, [answer, .. variants.Select(v => v.Shape)]);
        var deadline = config.Deadline ?? new TimeoutsConfig().Over(scope.Config.Defaults.Timeouts).Request;
        return new CallPlan
        {
            Route = route,
            Calls = planned,
            Deadline = deadline,
            Limits = config.Limits,
            ForwardHeaders = [.. config.ForwardHeaders],
            Forwarded = CallFields.Plan(config.ForwardHeaders),
            Scope = new Names([.. names, "request", "item", "items"]),
            Answer = answer with { Unneeded = needed.Unneeded(answer) },
            Variants = Array.ConvertAll(variants, v => v with { Shape = v.Shape with { Unneeded = needed.Unneeded(v.Shape) } }),
            Opening = planned.FirstOrDefault(c => c.Property is not null)?.Property is { } first
                ? [(byte)'{', .. first.AsSpan(1)]
                : "{"u8.ToArray(),
            Conflict = config.Conflict,
            SharesRoot = !config.Stream && Array.Exists(planned, c => c.IsSpread) && planned.Count(c => c.Property is not null) > 1,
            Streams = config.Stream,
            Joins = [.. joins.Select(j => (planned[j], planned[j].FanOut!.Join!))],
            ReadsBody =
                expressions.LooksIntoRequest || calls.Exists(c => c.Call.Request.PassesBody || c.Call.Compensation is { PassesBody: true }),
            ParsesBody = expressions.LooksIntoRequest,
            VaryBy =
            [
                .. compiler
                    .ClientHeaders.Union(config.Variants.Keys.SelectMany(HeadersOf), StringComparer.OrdinalIgnoreCase)
                    .Order(StringComparer.Ordinal),
            ],
            DependsOnCaller = compiler.DependsOnCaller,
            Fingerprint = XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(route + "\n" + Text(config))),
        };
    }

    /// <summary>Checks the names of calls and of forwarded headers; an error does not prevent the other checks.</summary>
    private void CheckNames(ComposeConfig config, List<string> names, RouteParameters parameters, KeyPath path)
    {
        if (names.Count > MaxCalls)
            scope.Problems.Add(
                "out-of-range",
                path["calls"],
                $"the limit is {MaxCalls} calls per composition, and this one has {names.Count}",
                "request several items with one call (`forEach` with `batch`), or split the route in two"
            );
        foreach (var name in names.Where(n => parameters.IndexOf(n) >= 0))
            scope.Problems.Add(
                "conflict",
                path["calls"][name],
                $"`{name}` is also a parameter of the route's path: `{{{name}}}` could mean either",
                "give the call another name"
            );

        for (var i = 0; i < config.ForwardHeaders.Count; i++)
        {
            if (CallFields.Refusal(config.ForwardHeaders[i]) is { } refusal)
                scope.Problems.Add(
                    "bad-value",
                    path["forwardHeaders"][i],
                    refusal,
                    "list the client's headers that services need, such as `[Authorization, X-Tenant]`; `headers` of a call sets others"
                );
        }
    }

    private (AnswerShape Answer, Variant[] Variants)? CompileAnswers(ComposeConfig config, ExpressionCompiler expressions, KeyPath path)
    {
        var use = new ExpressionUse(Owner: null, MaySeeAll: true);
        var answer = CompileAnswer(config.Respond, config.Respond, null, expressions, path["respond"], use);
        var variants = new List<Variant>();
        foreach (var (client, variant) in config.Variants)
        {
            var recognised = conditions.OfClient(client, path["variants"][client]);
            var shape = CompileAnswer(variant, config.Respond, client, expressions, path["variants"][client], use);
            if (recognised is not null && shape is not null)
                variants.Add(new Variant(recognised, shape));
        }

        return answer is null || variants.Count < config.Variants.Count ? null : (answer, [.. variants]);
    }

    private AnswerShape? CompileAnswer(
        ComposedAnswerConfig config,
        ComposedAnswerConfig otherwise,
        string? client,
        ExpressionCompiler expressions,
        KeyPath path,
        ExpressionUse use
    )
    {
        var body = (config.Body ?? otherwise.Body) is { } shape
            ? expressions.Compile(shape, config.Body is null ? path.Parent.Parent["respond"]["body"] : path["body"], use)
            : null;
        var headers = new List<(string, Expression)>();
        var isInherited = config.Headers.Count == 0 && client is not null;
        var written = isInherited ? otherwise.Headers : config.Headers;
        var at = isInherited ? path.Parent.Parent["respond"]["headers"] : path["headers"];
        foreach (var (name, text) in written)
        {
            if (ComposedAnswer.Owns(name))
                scope.Problems.Add("conflict", at[name], $"`{name}` is set by the gateway in composed responses", "remove it");
            if (expressions.Compile(text, at[name], use) is { } expression)
                headers.Add((name, expression));
        }

        if (((config.Body ?? otherwise.Body) is not null && body is null) || headers.Count < written.Count)
            return null;
        return new AnswerShape(
            client,
            body,
            [.. headers],
            config.Status ?? otherwise.Status ?? 200,
            config.Errors ?? otherwise.Errors ?? false
        );
    }

    /// <summary>Orders the joins: a join into a list precedes the join of that list.</summary>
    private List<int>? OrderJoins(ComposeConfig config, ExpressionCompiler expressions, KeyPath path)
    {
        var names = config.Calls.Keys.ToList();
        var joined = config.Calls.Where(c => c.Value.Join is not null).ToList();
        var into = joined.ToDictionary(c => c.Key, c => c.Value.Join!.Into.Split('.')[0], StringComparer.Ordinal);
        var valid = joined.TrueForAll(c => c.Value.ForEach is not null); // reported at its own place
        foreach (var group in joined.GroupBy(c => (c.Value.Join!.Into, c.Value.Join.As)).Where(g => g.Count() > 1))
        {
            valid = false;
            scope.Problems.Add(
                "conflict",
                path[group.Last().Key]["join"]["as"],
                $"the calls {string.Join(" and ", group.Select(c => $"`{c.Key}`"))} would write the same property: `{group.Key.As}` in the "
                    + $"elements of `{group.Key.Into}`",
                "set a different `as` for one of them"
            );
        }

        foreach (var (name, target) in into)
        {
            valid &= name != target; // reported with the call
            expressions.LookedInto.Add(name);
            expressions.LookedInto.Add(target);
            valid &= names.Contains(target); // reported with the call
        }

        var rings = into.Where(p => p.Key != p.Value)
            .ToDictionary(p => p.Key, p => new HashSet<string> { p.Value }, StringComparer.Ordinal);
        if (!CallGraph.Check(rings, scope.Problems, path) || !valid)
            return null;
        return [.. into.Keys.OrderByDescending(Depth).Select(n => names.IndexOf(n))];

        int Depth(string name) => into.TryGetValue(name, out var target) ? 1 + Depth(target) : 0;
    }

    /// <summary>Checks that two calls which can write to one place have a rule for conflicts.</summary>
    private bool CheckPlaces(ComposeConfig config, KeyPath path)
    {
        var isShaped = config.Respond.Body is not null && !config.Stream;
        var writers = config.Calls.Where(c => c.Value.Join is null).Select(c => (Call: c.Key, Place: c.Value.As ?? c.Key)).ToList();
        if (isShaped || config.Stream)
            return true;
        var reportsErrors = config.Variants.Values.Prepend(config.Respond).Any(a => a.Errors == true);
        if (reportsErrors && writers.Find(w => w.Place == "_errors").Call is { } hidden)
        {
            scope.Problems.Add(
                "conflict",
                path["calls"][hidden]["as"],
                "`_errors` is reserved for the parts that failed (`errors: true`)",
                "set a different `as` for the call"
            );
            return false;
        }

        if (config.Conflict is not null)
            return true;
        var spread = writers.Find(w => w.Place == ".").Call;
        if (spread is not null && writers.Count > 1)
            writers.RemoveAll(w => w.Place != "." && w.Call != writers.Find(o => o.Place != ".").Call); // one pair is reported
        var groups =
            spread is not null && writers.Count > 1
                ? [writers]
                : writers.GroupBy(w => w.Place, StringComparer.Ordinal).Select(g => g.ToList()).Where(g => g.Count > 1).ToList();
        foreach (var group in groups)
        {
            var at = group.FindLast(w => config.Calls[w.Call].As is not null).Call ?? group[^1].Call;
            var calls = string.Join(" and ", group.Select(w => $"`{w.Call}`"));
            scope.Problems.Add(
                "conflict",
                path["calls"][at]["as"],
                $"the calls {calls} can write the same property of the response{(spread is null ? $": `{group[0].Place}`" : "")}",
                "set `conflict: first`, `last`, `deep` or `concat`, or set a different `as` for one of them"
            );
        }

        return groups.Count == 0;
    }

    private static PlannedCall[] Link(List<CompiledCall> calls, ComposeConfig config, ExpressionCompiler expressions)
    {
        var planned = calls.ConvertAll(c => c.Call).ToArray();
        foreach (var call in planned)
        {
            call.NeededBy = [.. planned.Where(p => p.Needs.Contains(call.Index)).Select(p => p.Index)];
            call.NeedsDocument =
                expressions.LookedInto.Contains(call.Name) || call.IsSpread || call.Select is not null || config.Conflict is not null;
            call.MayRepeat = call.Request.Config.IsSafe && planned.Any(p => p != call && MayBeTheSame(p.Request, call.Request));
        }

        return planned;
    }

    private static bool MayBeTheSame(PlannedRequest one, PlannedRequest other) =>
        one.Service == other.Service && one.Config.Method == other.Config.Method && one.Target.MayEqual(other.Target);

    private IEnumerable<string> HeadersOf(string client)
    {
        if (!scope.Config.Clients.TryGetValue(client, out var config))
            return [];
        return [.. config.When.Headers.Keys, .. config.When.Cookies.Count > 0 ? (string[])["Cookie"] : []];
    }

    /// <summary>Returns everything that determines how parts become an answer, as text.</summary>
    private static string Text(ComposeConfig config)
    {
        var text = new StringBuilder();
        foreach (var (name, call) in config.Calls)
            text.Append(name)
                .Append('|')
                .Append(call.As)
                .Append('|')
                .Append(call.ForEach)
                .Append('|')
                .Append(call.Select)
                .Append('|')
                .Append(call.Join)
                .Append('|')
                .Append(call.If)
                .Append('\n');
        foreach (var answer in config.Variants.Values.Prepend(config.Respond))
        {
            Append(answer.Body);
            text.Append('|').Append(answer.Status).Append('|').Append(answer.Errors).Append('\n');
        }

        return text.Append(config.Conflict).ToString();

        void Append(ShapeConfig? shape)
        {
            text.Append(shape?.Expression).Append(shape?.Code?.Version);
            foreach (var (name, member) in shape?.Members ?? [])
            {
                text.Append('{').Append(name).Append(':');
                Append(member);
            }

            foreach (var item in shape?.Items ?? [])
            {
                text.Append('[');
                Append(item);
            }
        }
    }
}
