using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary><c>left || right</c>, <c>left &amp;&amp; right</c>: returns one of the two results, not a boolean.</summary>
internal sealed class LogicalNode(Node left, Node right, bool isOr) : Node(left.Offset, Above(left, right))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result) =>
        left.TryEvaluate(current, ref evaluation, out result)
        && (result.IsTrue == isOr || right.TryEvaluate(current, ref evaluation, out result));

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        left.CollectRoots(roots, isInput);
        right.CollectRoots(roots, isInput);
    }
}

/// <summary><c>!part</c></summary>
internal sealed class NotNode(int offset, Node part) : Node(offset, Above(part))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (!part.TryEvaluate(current, ref evaluation, out result))
            return false;
        result = Value.Boolean(!result.IsTrue);
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput) => part.CollectRoots(roots, isInput);
}

/// <summary>Comparison operators such as <c>left == right</c>. Values other than numbers have no order: the result is null.</summary>
internal sealed class ComparisonNode(Node left, Node right, TokenKind comparison) : Node(left.Offset, Above(left, right))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (!left.TryEvaluate(current, ref evaluation, out result) || !right.TryEvaluate(current, ref evaluation, out var other))
            return false;
        if (comparison is TokenKind.Equal or TokenKind.NotEqual)
        {
            var equal = Comparison.AreEqual(result, other, ref evaluation);
            result = Value.Boolean(equal == (comparison == TokenKind.Equal));
            return evaluation.Problem is null;
        }

        if (result.Kind != JsonValueKind.Number || other.Kind != JsonValueKind.Number)
        {
            result = default;
            return true;
        }

        var order = Digits.Compare(result.NumberText, other.NumberText);
        result = Value.Boolean(
            comparison switch
            {
                TokenKind.Less => order < 0,
                TokenKind.LessOrEqual => order <= 0,
                TokenKind.Greater => order > 0,
                _ => order >= 0,
            }
        );
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        left.CollectRoots(roots, isInput);
        right.CollectRoots(roots, isInput);
    }
}
