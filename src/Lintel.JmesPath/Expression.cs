using System.Diagnostics.CodeAnalysis;

namespace Lintel.JmesPath;

/// <summary>
/// An expression of JMESPath (jmespath.org/specification.html), compiled once. It does not change: any number of requests may evaluate it
/// at a time.
/// <para>Nothing here throws because of a text or a document; what is wrong is told.</para>
/// </summary>
internal sealed class Expression
{
    /// <summary>The longest text, in characters: 16 384. An expression that a person writes has some hundreds.</summary>
    public const int MaxLength = 16 * 1024;

    /// <summary>
    /// How many parts may lie below each other: 256. Evaluation takes a call for each; a thread's smallest usual stack (1.5 MiB with musl)
    /// has place for some thousands.
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
    /// The input's fields that the expression can read, in the order of their first mention; null when it takes the input as a whole, as
    /// <c>@</c>, <c>*</c> and <c>keys(@)</c> do.
    /// </summary>
    public IReadOnlyList<Root>? Roots { get; }

    /// <summary>Where the text first takes the input as a whole; null where <see cref="Roots"/> says all.</summary>
    public int? WholeInput { get; }

    /// <summary>Compiles a text.</summary>
    /// <returns>Null if it is no expression; then <paramref name="problem"/> says why.</returns>
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
    /// <param name="result">The result, null if there is none. It may point into the input and lives as long as that does.</param>
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
