using System.Collections.Frozen;
using System.Text;
using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.JmesPath;
using Lintel.Pipeline;
using Lintel.Routing;
using Lintel.Services.Attempts;

namespace Lintel.Runtime;

/// <summary>A compiled call.</summary>
internal sealed record CompiledCall(PlannedCall Call);

/// <summary>Compiles the calls of a composition one by one.</summary>
internal sealed class CallCompiler(
    ProblemSink problems,
    ServiceFinder services,
    ExpressionCompiler expressions,
    List<string> names,
    RouteParameters parameters,
    PathTraits allowed
)
{
    /// <summary>For each call, the calls that it waits for.</summary>
    public Dictionary<string, HashSet<string>> Needs { get; } = new(StringComparer.Ordinal);

    /// <summary>Headers of the client that requests depend on.</summary>
    public HashSet<string> ClientHeaders { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether requests depend on the client's address or claims.</summary>
    public bool DependsOnCaller { get; private set; }

    public CompiledCall? Compile(string name, CallConfig config, KeyPath path)
    {
        var needs = Needs[name] = new HashSet<string>(StringComparer.Ordinal);
        var input = new ExpressionUse(name) { Needs = needs };
        var perItem = new ExpressionUse(name, HasItems: config.ForEach is not null) { Needs = needs };
        var condition = config.If is { } text ? expressions.Compile(text, path["if"], input) : null;
        var items = config.ForEach is { } list ? expressions.Compile(list, path["forEach"], input) : null;
        var request = CompileRequest(config.Request, config.Body, config.Headers, path, perItem);
        var after = CompileAfter(name, config, path["after"], needs);
        var select = config.Select is { } part ? expressions.Parse(part, path["select"]) : null;
        var join = config.Join is { } joined ? CompileJoin(name, config, joined, path["join"]) : null;
        var compensation = config.Compensate is { } undo
            ? CompileRequest(
                undo.Request,
                undo.Body,
                [],
                path["compensate"],
                new ExpressionUse(name, HasItems: config.ForEach is not null, MaySeeItself: true) { Needs = [] }
            )
            : null;

        var isComplete =
            request is not null
            && after is not null
            && (config.If is null) == (condition is null)
            && (config.ForEach is null) == (items is null)
            && (config.Join is null) == (join is null)
            && (config.Select is null) == (select is null)
            && (config.Compensate is null) == (compensation is null);
        if (!isComplete)
            return null;
        if (config.ForEach is not null)
            CheckItems(request!, config.Batch is not null, path);
        return new CompiledCall(
            new PlannedCall
            {
                Index = names.IndexOf(name),
                Name = name,
                Config = config,
                Request = request!,
                Needs = [.. needs.Select(n => names.IndexOf(n)).Order()],
                After = after!,
                Condition = condition,
                FanOut = items is null ? null : new FanOut(items, config.Batch ?? 0, config.Concurrency, config.MaxItems, join),
                Passthrough = config.Passthrough.ToFrozenSet(),
                FallbackValue = config.Fallback.FirstOrDefault(f => f.Value is not null)?.Value is { } value
                    ? Encoding.UTF8.GetBytes(value)
                    : null,
                MayBeStale = config.Fallback.Any(f => f.Stale),
                Compensation = compensation,
                Select = select,
                Hedging = config.Hedge is { } hedge ? new Hedging(hedge) : null,
                Property = config.Join is null ? ExpressionCompiler.Lead(config.As ?? name, isFirst: false) : null,
                IsSpread = config.As == ".",
            }
        );
    }

    /// <summary>Checks that a request refers to its item: otherwise it would be the same for all of them.</summary>
    private void CheckItems(PlannedRequest request, bool isBatch, KeyPath path)
    {
        var roots = request.References.SelectMany(r => r.Roots ?? []).Select(r => r.Name).Concat(request.Body?.Roots ?? []).ToHashSet();
        var (wanted, other) = isBatch ? ("items", "item") : ("item", "items");
        if (roots.Contains(other))
            problems.Add(
                "bad-expression",
                path["request"],
                isBatch
                    ? "with `batch` a request has several items, and `item` refers to a single one"
                    : "`items` is the list of a batch, and this call sends one request per item",
                isBatch ? "refer to `{items}`, or remove `batch`" : "refer to `{item}`, or set `batch`"
            );
        else if (!roots.Contains(wanted))
            problems.Add(
                "bad-expression",
                path["request"],
                isBatch ? "every batch would send the same request" : "every item would send the same request",
                isBatch ? "refer to `{items}`" : "refer to `{item}`, or set `batch` and refer to `{items}`"
            );
    }

    private PlannedRequest? CompileRequest(
        CallRequestConfig config,
        ShapeConfig? body,
        ValueMap<string> headers,
        KeyPath path,
        ExpressionUse use
    )
    {
        var service = services(config.Service, path["request"]);
        var references = new CallReferences(expressions, names, path["request"], use);
        var target = CompileTarget(config.Target, path["request"], references);
        var fields = CompileHeaders(headers, path["headers"]);
        var passesBody = body?.Expression == "request";
        var shape = body is null || passesBody ? null : expressions.Compile(body, path["body"], use);
        if (service is null || target is null || fields is null || (body is not null && !passesBody && shape is null))
            return null;
        if (body is not null && config.IsSafe)
        {
            problems.Add("conflict", path["body"], $"a {config.Method} request cannot have a body", "use another method, or remove `body`");
            return null;
        }

        return new PlannedRequest(service, config, target, [.. references.Slots], fields, shape) { PassesBody = passesBody };
    }

    private CallTarget? CompileTarget(string target, KeyPath path, CallReferences references)
    {
        var own = parameters.With(references);
        var before = problems.Count;
        var mark = IndexOutsideBraces(target, '?', 0);
        var upstream = UpstreamPath.Parse(mark < 0 ? target : target[..mark], own, allowed, out var problem, out var hint);
        if (upstream is null && problems.Count == before)
            problems.Add("bad-template", path, problem!, hint);
        Note(upstream?.Placeholders ?? []);

        var query = new List<(string, Template)>();
        var all = upstream is not null;
        for (var at = mark + 1; mark >= 0 && at <= target.Length; )
        {
            var end = IndexOutsideBraces(target, '&', at);
            var pair = target[at..(end < 0 ? target.Length : end)];
            if (pair.Length > 0)
                all &= AddPair(pair, own, path, query);
            at = end < 0 ? target.Length + 1 : end + 1;
        }

        return all ? new CallTarget(upstream!, [.. query]) : null;
    }

    private bool AddPair(string pair, RouteParameters own, KeyPath path, List<(string, Template)> query)
    {
        var before = problems.Count;
        var equals = IndexOutsideBraces(pair, '=', 0);
        var name = equals < 0 ? pair : pair[..equals];
        if (Template.Parse(equals < 0 ? "" : pair[(equals + 1)..], own, out var problem, out var hint) is not { } value)
        {
            if (problems.Count == before)
                problems.Add("bad-template", path, problem!, hint);
            return false;
        }

        if (pair.Contains('#') && IndexOutsideBraces(pair, '#', 0) >= 0)
        {
            problems.Add(
                "bad-template",
                path,
                $"the query parameter `{pair}` contains a fragment, which is never sent to a service",
                "remove it; write `%23` for a literal `#`"
            );
            return false;
        }

        if (name.Contains('{'))
        {
            problems.Add(
                "bad-template",
                path,
                $"the query parameter `{pair}` has a placeholder in its name",
                "placeholders are allowed in values only: `name={value}`"
            );
            return false;
        }

        Note(value.Pieces.Where(p => p.Literal is null).Select(p => p.Placeholder));
        query.Add((Uri.EscapeDataString(Uri.UnescapeDataString(name)), value.Unescaped()));
        return true;
    }

    private (string, Template)[]? CompileHeaders(ValueMap<string> headers, KeyPath path)
    {
        var fields = new List<(string, Template)>();
        var own = parameters.With(new NoReferences(names));
        foreach (var (name, text) in headers)
        {
            if (Template.Parse(text, own, out var problem, out var hint) is { } template)
            {
                Note(template.Pieces.Where(p => p.Literal is null).Select(p => p.Placeholder));
                fields.Add((name, template));
            }
            else
            {
                problems.Add("bad-template", path[name], problem!, hint);
            }
        }

        return fields.Count == headers.Count ? [.. fields] : null;
    }

    private int[]? CompileAfter(string name, CallConfig config, KeyPath path, HashSet<string> needs)
    {
        var all = true;
        foreach (var other in config.After)
        {
            if (!names.Contains(other))
                problems.Add("unknown-call", path, $"there is no call named `{other}`", Suggestion.For(other, names));
            else if (other == name)
                problems.Add("cycle", path, $"the call `{name}` would depend on itself", "refer to other calls");
            else
                needs.Add(other);
            all &= needs.Contains(other);
        }

        return all ? [.. config.After.Select(n => names.IndexOf(n))] : null;
    }

    private Join? CompileJoin(string name, CallConfig call, JoinConfig config, KeyPath path)
    {
        var place = config.Into.Split('.');
        var into = names.IndexOf(place[0]);
        if (into < 0)
            problems.Add("unknown-call", path["into"], $"there is no call named `{place[0]}`", Suggestion.For(place[0], names));
        else if (place[0] == name)
            problems.Add("cycle", path["into"], $"the call `{name}` cannot be joined into itself", "name the call that has the list");
        var (key, parentKey) = SplitKeys(config.On);
        if (string.IsNullOrEmpty(parentKey) || key.Length == 0)
        {
            problems.Add(
                "bad-value",
                path["on"],
                $"`{config.On}` is not a join condition",
                "write `KEY = PARENTKEY`, such as `id = productId`: a property of the response and one of the element"
            );
            return null;
        }

        var compiledKey = expressions.Parse(key, path["on"]);
        var compiledParent = expressions.Parse(parentKey, path["on"]);
        if (into < 0 || place[0] == name || compiledKey is null || compiledParent is null)
            return null;
        return new Join(
            into,
            [.. place.Skip(1).Select(Name.Of)],
            config.Into,
            compiledKey,
            compiledParent,
            Name.Of(config.As),
            config.Many,
            IsOfItems: call.Batch is null
        );
    }

    /// <summary>Splits at the single `=` that is not a comparison.</summary>
    private static (string Key, string? ParentKey) SplitKeys(string on)
    {
        for (var i = 1; i < on.Length - 1; i++)
        {
            if (on[i] == '=' && on[i + 1] != '=' && on[i - 1] is not ('=' or '!' or '<' or '>'))
                return (on[..i].Trim(), on[(i + 1)..].Trim());
        }

        return (on, null);
    }

    private void Note(IEnumerable<Placeholder> placeholders)
    {
        foreach (var placeholder in placeholders)
        {
            if (placeholder.Source == PlaceholderSource.Header)
                ClientHeaders.Add(placeholder.Name);
            else if (placeholder.Source == PlaceholderSource.Cookie)
                ClientHeaders.Add("Cookie");
            DependsOnCaller |= placeholder.Source is PlaceholderSource.ClientIp or PlaceholderSource.Claim or PlaceholderSource.Caller;
        }
    }

    private static int IndexOutsideBraces(string text, char sought, int from)
    {
        var depth = 0;
        for (var i = from; i < text.Length; i++)
        {
            if (text[i] == sought && depth == 0)
                return i;
            depth +=
                text[i] == '{' ? 1
                : text[i] == '}' && depth > 0 ? -1
                : 0;
        }

        return -1;
    }
}
