using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.JmesPath;
using Lintel.Pipeline;

namespace Lintel.Runtime;

/// <summary>Compiles a composition's expressions, and notes which calls each of them looks at.</summary>
/// <param name="problems">Where mistakes go.</param>
/// <param name="calls">The calls' names.</param>
internal sealed class ExpressionCompiler(ProblemSink problems, IReadOnlyList<string> calls)
{
    /// <summary>Calls whose values expressions look into.</summary>
    public HashSet<string> LookedInto { get; } = [];

    /// <summary>Whether an expression looks into the client's body.</summary>
    public bool LooksIntoRequest { get; private set; }

    /// <summary>Compiles an expression over the calls' values.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="path">Where.</param>
    /// <param name="use">What the expression is for: what it may see, and who has to wait for what it looks at.</param>
    public Expression? Compile(string text, KeyPath path, ExpressionUse use)
    {
        if (Parse(text, path) is not { } expression)
            return null;
        return Note(expression.Roots, path, use) ? expression : null;
    }

    /// <summary>Compiles an expression over one value, such as an element of a list.</summary>
    public Expression? Parse(string text, KeyPath path)
    {
        var expression = Expression.Parse(text, out var problem);
        if (problem is not null)
            problems.Add(
                "bad-expression",
                path,
                $"`{Shown(text)}` is not a valid JMESPath expression: {problem.Message}, at character {problem.Offset + 1}",
                problem.Hint
            );
        return expression;
    }

    /// <summary>A long expression as its beginning: the position says where to look.</summary>
    private static string Shown(string text) => text.Length <= 200 ? text : text[..100] + "…";

    /// <summary>Compiles a document of expressions.</summary>
    public Shape? Compile(ShapeConfig shape, KeyPath path, ExpressionUse use)
    {
        if (shape.Expression is { } text)
            return Compile(text, path, use) is { } expression ? new Shape.Leaf(expression, PlaceOf(path)) : null;
        if (shape.Code is { } code)
        {
            if (use.Owner is null)
                return new Shape.Code(code);
            problems.Add(
                "conflict",
                path,
                "code sees all calls, so a request whose body it produces would depend on itself",
                "build the body from expressions; code is for responses"
            );
            return null;
        }

        var all = true;
        if (shape.Members is { } members)
        {
            var compiled = new List<(byte[], Shape)>();
            foreach (var (name, member) in members)
            {
                if (Compile(member, path[name], use) is { } value)
                    compiled.Add((Lead(name, isFirst: compiled.Count == 0), value));
                else
                    all = false;
            }

            return all ? new Shape.Members([.. compiled]) : null;
        }

        var items = new List<Shape>();
        for (var i = 0; i < shape.Items!.Count; i++)
        {
            if (Compile(shape.Items[i], path[i], use) is { } item)
                items.Add(item);
            else
                all = false;
        }

        return all ? new Shape.Items([.. items]) : null;
    }

    /// <summary>A property's name with what stands before and behind it.</summary>
    public static byte[] Lead(string name, bool isFirst) => [isFirst ? (byte)'{' : (byte)',', .. Name.Of(name).Json];

    /// <summary>
    /// Where an expression stands in its composition, for who learns that it does not fit: what is above is the operator's business.
    /// </summary>
    private static string PlaceOf(KeyPath path)
    {
        const string Above = ".compose.";
        var text = path.ToString();
        var at = text.IndexOf(Above, StringComparison.Ordinal);
        return at < 0 ? text : text[(at + Above.Length)..];
    }

    private bool Note(IReadOnlyList<Root>? roots, KeyPath path, ExpressionUse use)
    {
        if (roots is null)
        {
            if (!use.MaySeeAll)
            {
                problems.Add(
                    "bad-expression",
                    path,
                    "the expression refers to all calls at once, so it would depend on itself",
                    "refer to the calls that it needs by name"
                );
                return false;
            }

            LookedInto.UnionWith(calls);
            return true;
        }

        var all = true;
        foreach (var root in roots)
            all &= Note(root.Name, path, use);
        return all;
    }

    private bool Note(string root, KeyPath path, ExpressionUse use)
    {
        switch (root)
        {
            case "request":
                LooksIntoRequest = true;
                return true;
            case "item" or "items" when use.HasItems:
                return true;
            case "item" or "items":
                problems.Add(
                    "unknown-call",
                    path,
                    $"`{root}` is defined only in the request of a call with `forEach`",
                    use.Owner is null ? "refer to a call" : "set `forEach` to the list of its items"
                );
                return false;
        }

        if (!calls.Contains(root))
        {
            problems.Add(
                "unknown-call",
                path,
                $"there is no call named `{root}`",
                Suggestion.For(root, [.. calls, "request", .. use.HasItems ? (string[])["item", "items"] : []])
            );
            return false;
        }

        if (root == use.Owner && !use.MaySeeItself)
        {
            problems.Add("cycle", path, $"the call `{root}` would depend on itself", "refer to other calls");
            return false;
        }

        LookedInto.Add(root);
        use.Needs.Add(root);
        return true;
    }
}

/// <summary>What an expression is for.</summary>
/// <param name="Owner">The call that it belongs to; <see langword="null"/> for the answer.</param>
/// <param name="HasItems">Whether it may see <c>item</c> and <c>items</c>.</param>
/// <param name="MaySeeAll">Whether it may look at the scope as a whole, because all calls have ended.</param>
/// <param name="MaySeeItself">Whether it may look at its own call's value.</param>
internal sealed record ExpressionUse(string? Owner, bool HasItems = false, bool MaySeeAll = false, bool MaySeeItself = false)
{
    /// <summary>The calls that it looks at.</summary>
    public HashSet<string> Needs { get; init; } = [];
}

/// <summary>The references of a request's placeholders: calls, and items of its own.</summary>
internal sealed class CallReferences(ExpressionCompiler expressions, IReadOnlyList<string> calls, KeyPath path, ExpressionUse use)
    : ReferenceScope
{
    public List<Expression> Slots { get; } = [];

    public override IEnumerable<string> Names => [.. calls, "item", "items"];

    public override int Add(string expression, out string? problem, out string? hint)
    {
        problem = hint = null;
        if (expressions.Compile(expression, path, use) is not { } compiled)
            return Reported;
        Slots.Add(compiled);
        return Slots.Count - 1;
    }

    /// <summary>No slot, and the report knows why.</summary>
    private const int Reported = -1;
}

/// <summary>
/// Where references are refused: in a call's headers. A value of a service could name the client's credentials' place, or break what the
/// header means.
/// </summary>
internal sealed class NoReferences(IReadOnlyList<string> calls) : ReferenceScope
{
    public override IEnumerable<string> Names => [.. calls, "item", "items"];

    public override int Add(string expression, out string? problem, out string? hint)
    {
        problem = $"`{{{expression}}}` refers to a call, and headers can refer only to values of the client's request";
        hint = "send it in the path, in the query or in `body`";
        return -1;
    }
}
