using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>
/// A projection: evaluates the right part for each element of the left one; null results are omitted. Null if the left part has no
/// elements.
/// </summary>
internal abstract class ProjectionNode(Node left, Node right, int height) : Node(left.Offset, height)
{
    public sealed override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (left.TryEvaluate(current, ref evaluation, out var source))
            return TryProject(source, ref evaluation, out result);
        result = default;
        return false;
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        left.CollectRoots(roots, isInput);
        right.CollectRoots(roots, isInput: false);
    }

    protected abstract bool TryProject(in Value source, ref Evaluation evaluation, out Value result);

    /// <summary>Evaluates the right part for one element.</summary>
    protected bool TryCollect(in Value element, ref Evaluation evaluation, ref Collected collected)
    {
        if (!evaluation.TrySpend(1) || !right.TryEvaluate(element, ref evaluation, out var item))
            return false;
        if (!item.IsNull)
            collected.Add(item);
        return true;
    }
}

/// <summary><c>left[*].right</c></summary>
internal sealed class ListProjectionNode(Node left, Node right) : ProjectionNode(left, right, Above(left, right))
{
    protected override bool TryProject(in Value source, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (source.Kind != JsonValueKind.Array)
            return true;
        var collected = new Collected(Math.Min(source.Count, evaluation.Remaining));
        foreach (var element in new Elements(source))
        {
            if (!TryCollect(element, ref evaluation, ref collected))
                return false;
        }

        result = collected.ToValue();
        return true;
    }
}

/// <summary><c>left.*.right</c>: over the values of an object.</summary>
internal sealed class ValueProjectionNode(Node left, Node right) : ProjectionNode(left, right, Above(left, right))
{
    protected override bool TryProject(in Value source, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (source.Kind != JsonValueKind.Object)
            return true;
        var collected = new Collected(Math.Min(source.Count, evaluation.Remaining));
        var properties = new Properties(source);
        while (properties.MoveNext())
        {
            if (!TryCollect(properties.Value, ref evaluation, ref collected))
                return false;
        }

        result = collected.ToValue();
        return true;
    }
}

/// <summary><c>left[].right</c>: elements that are arrays are flattened.</summary>
internal sealed class FlattenNode(Node left, Node right) : ProjectionNode(left, right, Above(left, right))
{
    protected override bool TryProject(in Value source, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (source.Kind != JsonValueKind.Array)
            return true;
        var collected = new Collected(0);
        foreach (var element in new Elements(source))
        {
            if (element.Kind != JsonValueKind.Array)
            {
                if (!TryCollect(element, ref evaluation, ref collected))
                    return false;
                continue;
            }

            if (!evaluation.TrySpend(1))
                return false;
            foreach (var inner in new Elements(element))
            {
                if (!TryCollect(inner, ref evaluation, ref collected))
                    return false;
            }
        }

        result = collected.ToValue();
        return true;
    }
}

/// <summary><c>left[?condition].right</c></summary>
internal sealed class FilterNode(Node left, Node condition, Node right)
    : ProjectionNode(left, right, Math.Max(Above(left, right), Above(condition)))
{
    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        base.CollectRoots(roots, isInput);
        condition.CollectRoots(roots, isInput: false);
    }

    protected override bool TryProject(in Value source, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (source.Kind != JsonValueKind.Array)
            return true;
        var collected = new Collected(0);
        foreach (var element in new Elements(source))
        {
            if (!evaluation.TrySpend(1) || !condition.TryEvaluate(element, ref evaluation, out var holds))
                return false;
            if (holds.IsTrue && !TryCollect(element, ref evaluation, ref collected))
                return false;
        }

        result = collected.ToValue();
        return true;
    }
}

/// <summary><c>left[start:stop:step].right</c>, with the bounds as in Python.</summary>
internal sealed class SliceNode(Node left, Slice slice, Node right) : ProjectionNode(left, right, Above(left, right))
{
    protected override bool TryProject(in Value source, ref Evaluation evaluation, out Value result)
    {
        result = default;
        if (source.Kind != JsonValueKind.Array)
            return true;
        var (first, count) = slice.Of(source.Count);
        var collected = new Collected(Math.Min(count, evaluation.Remaining));
        if (slice.Step > 0)
        {
            // Forwards is one walk: an element of a document is found by walking to it.
            var (next, index) = ((long)first, 0);
            foreach (var element in new Elements(source))
            {
                if (count == 0)
                    break;
                if (index++ != next)
                    continue;
                if (!TryCollect(element, ref evaluation, ref collected))
                    return false;
                next += slice.Step;
                count--;
            }
        }
        else if (!TryCollectBackwards(source, first, count, ref evaluation, ref collected))
            return false;

        result = collected.ToValue();
        return true;
    }

    private bool TryCollectBackwards(in Value source, int first, int count, ref Evaluation evaluation, ref Collected collected)
    {
        if (count == 0)
            return true;
        if (!evaluation.TrySpend(source.Count))
            return false;
        var elements = new Value[source.Count];
        var length = 0;
        foreach (var element in new Elements(source))
            elements[length++] = element;
        for (long index = first; count > 0; count--, index += slice.Step)
        {
            if (!TryCollect(elements[index], ref evaluation, ref collected))
                return false;
        }

        return true;
    }
}

/// <summary>The bounds of a slice; omitted ones are null. The step is not zero.</summary>
internal readonly record struct Slice(int? Start, int? Stop, int Step)
{
    /// <summary>The first index and how many there are, for an array of this length.</summary>
    public (int First, int Count) Of(int length)
    {
        var (low, high) = Step > 0 ? (0, length) : (-1, length - 1);
        var first =
            Start is { } start ? Bound(start, length, low, high)
            : Step > 0 ? low
            : high;
        var stop =
            Stop is { } end ? Bound(end, length, low, high)
            : Step > 0 ? high
            : low;
        var distance = Step > 0 ? (long)stop - first : (long)first - stop;
        var step = Math.Abs((long)Step);
        return (first, distance <= 0 ? 0 : (int)((distance + step - 1) / step));
    }

    private static int Bound(int index, int length, int low, int high) =>
        Math.Clamp(index < 0 ? (int)Math.Max((long)index + length, -1) : index, low, high);
}
