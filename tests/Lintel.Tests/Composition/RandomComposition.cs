using System.Globalization;
using System.Text.Json;

namespace Lintel.Tests.Composition;

/// <summary>A random composition, its services' answers, and the result of a naive implementation.</summary>
internal sealed class RandomComposition
{
    private static readonly string[] Names = ["a", "b", "\\u0063", "é", "x y", "q\\\"", "_"];
    private static readonly string[] Scalars =
    [
        "null",
        "true",
        "0",
        "-0.0",
        "1.50",
        "1E+2",
        "123456789012345678901234567890.5",
        "\"\"",
        "\"\\u00e9\\/\"",
        "\"é\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"a b\"",
    ];

    private readonly Random _random;
    private readonly List<Call> _calls = [];
    private readonly string? _conflict;
    private readonly bool _errors;
    private readonly bool _isJoined;

    public RandomComposition(int seed)
    {
        _random = new Random(seed);
        _conflict = Pick(null, null, "first", "last", "deep", "concat");
        _errors = _random.Next(2) == 0;
        _isJoined = _random.Next(2) == 0;
        var count = _random.Next(1, 5);
        for (var i = 0; i < count; i++)
        {
            var place =
                _conflict is not null ? Pick(".", ".", "shared", $"c{i}")
                : count == 1 && !_isJoined ? Pick(".", "c0")
                : Pick($"c{i}", $"renamed \\{i}é");
            _calls.Add(
                new Call(
                    $"c{i}",
                    place!,
                    _random.Next(2) == 0,
                    _random.Next(3) == 0
                        ? place == "." && _conflict is not null
                            ? "{\"a\":[true,null]}"
                            : Pick("0", "1.50", "\"a b\"", "[]", "{\"a\":[true,null]}")
                        : null
                )
            );
        }
    }

    public string Yaml
    {
        get
        {
            var calls = _calls
                .Select(c =>
                    $"  {c.Name}: {{ request: \"a/{c.Name}\", as: {JsonSerializer.Serialize(c.Place)}, optional: "
                    + $"{(c.IsOptional ? "true" : "false")}{(c.IsOptional && c.Fallback is { } value ? $", fallback: {{ value: {value} }}" : "")} }}"
                )
                .ToList();
            if (_isJoined)
            {
                calls.Insert(_random.Next(calls.Count + 1), "  list: a/list");
                calls.Insert(
                    _random.Next(calls.Count + 1),
                    "  joined: { request: \"a/joined/{item}\", forEach: \"list[].k\", optional: true, join: { into: list, on: \"id = "
                        + "k\", as: j } }"
                );
            }

            _order = [.. calls.Select(c => c.Trim().Split(':')[0]).Where(n => n != "joined")];
            return $"{(_conflict is null ? "" : $"conflict: {_conflict}\n")}respond: {{ errors: {(_errors ? "true" : "false")} "
                + $"}}\ncalls:\n{string.Join("\n", calls)}";
        }
    }

    private List<string> _order = [];

    /// <summary>Answers for the next request; a failure is an error status.</summary>
    public Tree Next(MemoryService backend)
    {
        var values = new Dictionary<string, Tree>(StringComparer.Ordinal);
        var failed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var call in _calls)
        {
            // what shares its place is an object
            var document = call.Place == "." && (_conflict is not null || _calls.Count > 1) ? Members(3) : Document(3);
            var fails = call.IsOptional && _random.Next(3) == 0;
            backend.On(call.Name, fails ? 500 : 200, Pick("", " ", "\n")! + document + Pick("", "\r\n"));
            values[call.Name] = Tree.Of(fails ? call.Fallback ?? "null" : document);
            if (fails)
                failed.Add(call.Name);
        }

        if (_isJoined)
            values["list"] = JoinedList(backend, failed);
        return Merge(values, failed.Count);
    }

    private Tree Merge(Dictionary<string, Tree> values, int failures)
    {
        Tree? whole = null;
        var members = new List<(string Name, Tree Value)>();
        foreach (var name in _order)
        {
            var place = name == "list" ? "list" : _calls.Find(c => c.Name == name)!.Place;
            if (place != ".")
                Put(members, place, values[name], _conflict ?? "last");
            else if (_conflict is null)
                whole = values[name];
            else if (values[name].Members is { } spread)
                spread.ForEach(m => Put(members, m.Name, m.Value, _conflict));
        }

        if (!_errors || failures == 0)
            return whole ?? Tree.Object(members);
        members = whole is null ? members : whole.Members ?? (whole.Raw == "null" ? [] : null!);
        return members is null ? whole! : Tree.Object([.. members, ("_errors", Tree.AnyList(failures))]);
    }

    private static void Put(List<(string Name, Tree Value)> members, string name, Tree value, string rule)
    {
        var at = members.FindIndex(m => m.Name == name);
        if (at < 0)
            members.Add((name, value));
        else
            members[at] = (name, Settle(members[at].Value, value, rule));
    }

    private static Tree Settle(Tree first, Tree second, string rule)
    {
        if (rule is "first" or "last")
            return rule == "first" ? first : second;
        if (rule == "concat" && first.Items is { } one && second.Items is { } two)
            return Tree.List([.. one, .. two]);
        if (first.Members is not { } before || second.Members is not { } after)
            return second;
        List<(string, Tree)> merged = [.. before];
        after.ForEach(m => Put(merged, m.Name, m.Value, rule));
        return Tree.Object(merged);
    }

    /// <summary>Elements with keys of either kind, some without, some of whose answers fail.</summary>
    private Tree JoinedList(MemoryService backend, HashSet<string> failed)
    {
        var known = Enumerable
            .Range(1, 6)
            .ToDictionary(
                k => k.ToString(CultureInfo.InvariantCulture),
                _ => _random.Next(4) == 0 ? null : Members(2),
                StringComparer.Ordinal
            );
        var elements = new List<(string Text, string? Key)>();
        for (var i = _random.Next(5); i > 0; i--)
        {
            var key = _random.Next(1, 7).ToString(CultureInfo.InvariantCulture);
            elements.Add(
                _random.Next(4) switch
                {
                    0 => (Pick(Scalars)!, null),
                    1 => ($$"""{ "other" :{{Document(1)}}}""", ""),
                    2 => ($$"""{"k":"{{key}}" , "j" : 1}""", key),
                    _ => ($$"""{"n":{{Document(1)}},"k":{{key}}}""", key),
                }
            );
        }

        var text = "[" + string.Join(" ,", elements.Select(e => e.Text)) + "]";
        backend
            .On("list", text)
            .On("joined", context =>
            {
                var answer = known[context.Request.Path.Value!.Split('/')[^1]];
                context.Response.StatusCode = answer is null ? 500 : 200;
                var key = context.Request.Path.Value!.Split('/')[^1];
                return context
                    .Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(answer is null ? "" : Keyed(key, answer)))
                    .AsTask();
            });
        var asked = elements.Where(e => e.Key is { Length: > 0 }).Select(e => e.Key!).ToList();
        if (asked.Exists(k => known[k] is null))
            failed.Add("joined");
        return asked.Count == 0 && elements.TrueForAll(e => e.Key is null)
            ? Tree.Of(text).WithItems()
            : Tree.List([.. elements.Select(Join)]);

        Tree Join((string Text, string? Key) element)
        {
            if (element.Key is null)
                return Tree.Of(element.Text);
            var child = element.Key.Length > 0 && known[element.Key] is { } answer ? Tree.Of(Keyed(element.Key, answer)) : Tree.Of("null");
            return Tree.Object([.. Tree.Of(element.Text).Members!.Where(m => m.Name != "j"), ("j", child)]);
        }

        static string Keyed(string key, string members) => $$"""{"id": {{key}}, "of":{{members}}}""";
    }

    private string Document(int depth) =>
        _random.Next(depth <= 0 ? 2 : 5) switch
        {
            0 or 1 => Pick(Scalars)!,
            2 => "[" + string.Join(Pick(",", " ,\n"), Enumerable.Range(0, _random.Next(4)).Select(_ => Document(depth - 1))) + "]",
            _ => Members(depth),
        };

    private string Members(int depth) =>
        "{"
        + string.Join(
            Pick(",", "\t, "),
            Names
                .Where(_ => _random.Next(3) == 0)
                .OrderBy(_ => _random.Next())
                .Select(n => $"\"{n}\"{Pick(":", " : ")}{Document(depth - 1)}")
        )
        + "}";

    private string? Pick(params string?[] from) => from[_random.Next(from.Length)];

    private sealed record Call(string Name, string Place, bool IsOptional, string? Fallback);
}
