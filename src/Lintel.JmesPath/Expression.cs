using System.Diagnostics.CodeAnalysis;

namespace Lintel.JmesPath;

/// <summary>
/// An expression of JMESPath (jmespath.org/specification.html), compiled once. It does not change: any number of requests may evaluate it
/// at a time.
/// <para>Nothing here throws because of an expression or a document; problems are returned.</para>
/// </summary>
internal sealed class Expression
{
    /// <summary>The longest text, in characters: 16 384. An expression that a person writes has some hundreds.</summary>
    public const int MaxLength = 16 * 1024;

    /// <summary>
    /// The maximum nesting depth: 256. Evaluation recurses once per level; the smallest usual stack of a thread (1.5 MiB with musl) has
    /// space for some thousands.
    /// </summary>
    public const int MaxHeight = 256;

    /// <summary>How many elements one evaluation may make or look at: 1 000 000, about 24 MB of values.</summary>
    public const int DefaultMaxWork = 1_000_000;

    private readonly Node _node;

    private Expression(string text, Node node)
    {
        Text = text;
        _node = node;
        var roots = new RootCollector();
        node.CollectRoots(roots, isInput: true);
        WholeInput = roots.Whole;
        Roots = roots.Whole is null ? roots.Roots : null;
    }

    public string Text { get; }

    /// <summary>
    /// The fields of the input that the expression can read, in order of first use; null if it refers to the whole input, like <c>@</c>,
    /// <c>*</c> and <c>keys(@)</c>.
    /// </summary>
    public IReadOnlyList<Root>? Roots { get; }

    /// <summary>The position at which the text first refers to the whole input; null if <see cref="Roots"/> is complete.</summary>
    public int? WholeInput { get; }

    /// <summary>Compiles a text.</summary>
    /// <returns>Null if the text is not a valid expression; <paramref name="problem"/> is then set.</returns>
    public static Expression? Parse(string text, out ExpressionProblem? problem)
    {
        if (text.Length > MaxLength)
        {
            problem = new ExpressionProblem($"the expression is longer than {MaxLength} characters", MaxLength);
            return null;
        }

        var node = new Parser(text).Parse(out problem);
        return node is null ? null : new Expression(text, node);
    }

    /// <summary>Evaluates the expression.</summary>
    /// <param name="input">The input, as <c>@</c>.</param>
    /// <param name="result">The result, null if there is none. It may point into the input and is valid as long as the input.</param>
    /// <param name="problem">What went wrong, such as a function's argument of a wrong type.</param>
    /// <param name="maxWork">How many elements may be made or looked at.</param>
    public bool TryEvaluate(in Value input, out Value result, [NotNullWhen(false)] out string? problem, long maxWork = DefaultMaxWork)
    {
        var evaluation = new Evaluation(maxWork);
        if (_node.TryEvaluate(input, ref evaluation, out result))
        {
            problem = null;
            return true;
        }

        result = default;
        problem = evaluation.Problem!;
        return false;
    }

    public override string ToString() => Text;
}
