using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.JmesPath;
using Lintel.Pipeline;

namespace Lintel.Runtime;

/// <summary>Compiles a composition's expressions, and records which calls each of them reads.</summary>
/// <param name="problems">Receives the problems.</param>
/// <param name="calls">The names of the calls.</param>
internal sealed class ExpressionCompiler(ProblemSink problems, IReadOnlyList<string> calls)
{
    /// <summary>The calls with values that expressions look into.</summary>
    public HashSet<string> LookedInto { get; } = [];

    /// <summary>Whether an expression looks into the client's body.</summary>
    public bool LooksIntoRequest { get; private set; }

    /// <summary>Compiles an expression over the calls' values.</summary>
    /// <param name="text">The expression.</param>
    /// <param name="path">Its place.</param>
    /// <param name="use">The purpose of the expression: what it may read, and who waits for it.</param>
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

    /// <summary>Returns the start of a long expression: the position identifies the place.</summary>
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

    /// <summary>Returns a property's name with the characters before and after it.</summary>
    public static byte[] Lead(string name, bool isFirst) => [isFirst ? (byte)'{' : (byte)',', .. Name.Of(name).Json];

    /// <summary>
    /// Returns the place of an expression in its composition, for a client that is told that it does not fit: the outer levels concern only
    /// the operator.
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

/// <summary>The purpose of an expression.</summary>
/// <param name="Owner">The call that it belongs to; <see langword="null"/> for the answer.</param>
/// <param name="HasItems">Whether it may see <c>item</c> and <c>items</c>.</param>
/// <param name="MaySeeAll">Whether it may read the scope as a whole, because all calls have ended.</param>
/// <param name="MaySeeItself">Whether it may read its own call's value.</param>
internal sealed record ExpressionUse(string? Owner, bool HasItems = false, bool MaySeeAll = false, bool MaySeeItself = false)
{
    /// <summary>The calls that it reads.</summary>
    public HashSet<string> Needs { get; init; } = [];
}

/// <summary>The references of a request's placeholders: calls, and the call's own items.</summary>
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

    /// <summary>No slot; the problem is already reported.</summary>
    private const int Reported = -1;
}

/// <summary>
/// Rejects references in a call's headers. A value from a service could select the client's credentials, or change the meaning of the
/// header.
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
