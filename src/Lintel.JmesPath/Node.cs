namespace Lintel.JmesPath;

/// <summary>A compiled part of an expression. It does not change: all requests share it.</summary>
/// <param name="offset">The offset in the text of the expression.</param>
/// <param name="height">The height of the tree, including the node itself: evaluation recurses once per level.</param>
internal abstract class Node(int offset, int height)
{
    public int Offset => offset;

    public int Height => height;

    /// <summary>Evaluates with <paramref name="current"/> as <c>@</c>, which must not be the variable that receives the result.</summary>
    /// <returns>False if there is no result; why is in <see cref="Evaluation.Problem"/>.</returns>
    public abstract bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result);

    /// <summary>Collects the parts of the input that this node reads.</summary>
    /// <param name="roots">Takes it.</param>
    /// <param name="isInput">Whether <c>@</c> is the input itself here; if not, this part reads what another has made or picked.</param>
    public abstract void CollectRoots(RootCollector roots, bool isInput);

    protected static int Above(Node below) => below.Height + 1;

    protected static int Above(Node left, Node right) => Math.Max(left.Height, right.Height) + 1;

    protected static int Above(IEnumerable<Node> below) => below.Max(n => n.Height) + 1;
}

/// <summary><c>@</c>, also for an omitted part, as before the bracket of <c>[0]</c>.</summary>
internal sealed class CurrentNode(int offset) : Node(offset, 1)
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        result = current;
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        if (isInput)
            roots.AddWhole(Offset);
    }
}

/// <summary><c>name</c>: a member of the current object, else null.</summary>
internal sealed class FieldNode(int offset, string name) : Node(offset, 1)
{
    private readonly Name _name = Name.Of(name);

    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        current.TryGetMember(_name.Utf8, out result);
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        if (isInput)
            roots.Add(name, Offset);
    }
}

/// <summary><c>`1`</c>, <c>'text'</c></summary>
internal sealed class LiteralNode(int offset, Value value) : Node(offset, 1)
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        result = value;
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput) { }
}

/// <summary>
/// <c>left.right</c> and <c>left | right</c>: the right part is evaluated with the result of the left one as its <c>@</c>. They differ in
/// how a projection on the left is treated, which the parser has resolved.
/// </summary>
internal sealed class SequenceNode(Node left, Node right) : Node(left.Offset, Above(left, right))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (left.TryEvaluate(current, ref evaluation, out var picked))
            return right.TryEvaluate(picked, ref evaluation, out result);
        result = default;
        return false;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        // `@.name` and `@ | name` read one field, not everything.
        if (left is CurrentNode)
        {
            right.CollectRoots(roots, isInput);
            return;
        }

        left.CollectRoots(roots, isInput);
        right.CollectRoots(roots, isInput: false);
    }
}

/// <summary><c>left[0]</c>: an element, or null.</summary>
internal sealed class IndexNode(Node left, int index) : Node(left.Offset, Above(left))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (!left.TryEvaluate(current, ref evaluation, out result))
            return false;
        result = result.ItemAt(index);
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput) => left.CollectRoots(roots, isInput);
}

/// <summary><c>[a, b]</c>: an array of results; null where <c>@</c> is null.</summary>
internal sealed class ListNode(int offset, Node[] parts) : Node(offset, Above(parts))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (current.IsNull)
            return true;
        if (!evaluation.TrySpend(parts.Length))
            return false;
        var items = new Value[parts.Length];
        for (var i = 0; i < items.Length; i++)
        {
            if (!parts[i].TryEvaluate(current, ref evaluation, out items[i]))
                return false;
        }

        result = Value.Array(items);
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        foreach (var part in parts)
            part.CollectRoots(roots, isInput);
    }
}

/// <summary><c>{a: x, b: y}</c>: an object of results; null where <c>@</c> is null.</summary>
internal sealed class ObjectNode(int offset, Names names, Node[] parts) : Node(offset, Above(parts))
{
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (current.IsNull)
            return true;
        if (!evaluation.TrySpend(parts.Length))
            return false;
        var values = new Value[parts.Length];
        for (var i = 0; i < values.Length; i++)
        {
            if (!parts[i].TryEvaluate(current, ref evaluation, out values[i]))
                return false;
        }

        result = Value.Object(names, values);
        return true;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        foreach (var part in parts)
            part.CollectRoots(roots, isInput);
    }
}
