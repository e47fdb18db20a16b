using System.Buffers;
using System.Text.Json;
using Lintel.Composition.Calls;
using Lintel.Composition.Plan;
using Lintel.JmesPath;

namespace Lintel.Composition.Merge;

/// <summary>Joins another call's answers into the elements of a list in a call's value.</summary>
internal sealed class JoinedList
{
    /// <summary>
    /// The maximum number of answers that one join may place into elements with lists of keys: equal to the work limit of one evaluation of
    /// an expression.
    /// </summary>
    private const int MaxPlaced = Expression.DefaultMaxWork;

    /// <summary>The maximum length of answers of one key that are compared; longer ones count as different.</summary>
    private const int MaxCompared = 1 << 20;

    private readonly Join _join;
    private readonly Dictionary<string, Matches> _byKey = new(StringComparer.Ordinal);
    private readonly bool _isKnown; // for a call that failed or was skipped it is unknown what belongs to an element
    private Names? _names;
    private bool _hasAnswers;
    private int _placed;
    private string? _problem;

    private JoinedList(Join join, bool isKnown)
    {
        _join = join;
        _isKnown = isKnown;
    }

    /// <summary>Joins the answers.</summary>
    /// <param name="parent">The value that holds the list: at the join's path, or as a whole; a single object is treated as a list of
    /// one.</param>
    /// <param name="children">The answers, as a list; a failed one is null in it, and belongs to no element. Null if there is no list:
    /// every element then has null.</param>
    /// <param name="join">How elements and answers match: keys are compared as text, so that <c>42</c> and <c>"42"</c> are equal.</param>
    /// <param name="joined">The parent with the answers in it.</param>
    /// <returns>Why they do not match: nothing is dropped silently.</returns>
    public static string? TryJoin(in Value parent, in Value children, Join join, out Value joined)
    {
        var list = new JoinedList(join, isKnown: children.Kind != JsonValueKind.Null);
        joined = parent;
        return list.TryIndex(children) && list.TryReplace(parent, 0, out joined) ? null : list._problem;
    }

    private bool TryIndex(in Value children)
    {
        if (children.Kind == JsonValueKind.Null)
            return true;
        if (children.Kind != JsonValueKind.Array)
            return Fail("the value to join is not a list");
        foreach (var child in new Elements(children))
        {
            if (child.IsNull)
                continue;
            _hasAnswers = true;
            if (!_join.Key.TryEvaluate(child, out var key, out var problem))
                return Fail(problem);
            if (CallInputs.Scalar(key) is not { } text)
                return Fail($"a response lacks the key `{_join.Key.Text}` that joins it into `{_join.Place}`");
            if (!_byKey.TryGetValue(text, out var matches))
                _byKey.Add(text, new Matches(child));
            else if (_join.Many || !_join.IsOfItems || !IsSame(child, matches.Values[0]))
                matches.Values.Add(child);
        }

        return true;
    }

    private static bool IsSame(in Value one, in Value other)
    {
        var (text, otherText) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        return one.WriteTo(text, MaxCompared)
            && other.WriteTo(otherText, MaxCompared)
            && text.WrittenSpan.SequenceEqual(otherText.WrittenSpan);
    }

    /// <summary>Descends to the list, and rebuilds the values that contain it.</summary>
    private bool TryReplace(in Value value, int depth, out Value replaced)
    {
        replaced = value;
        if (depth == _join.Path.Length)
            return TryFill(value, out replaced);
        var name = _join.Path[depth];
        if (!value.TryGetMember(name.Utf8, out var inner))
            return !_hasAnswers || Fail($"there is no list at `{_join.Place}` to join into");
        if (!TryReplace(inner, depth + 1, out inner))
            return false;
        replaced = MergedObject.With(value, name, inner, inPlace: true);
        return true;
    }

    private bool TryFill(in Value list, out Value filled)
    {
        filled = list;
        switch (list.Kind)
        {
            case JsonValueKind.Object:
                return TryExtend(list, isAlone: true, out filled);
            case JsonValueKind.Array:
                break;
            default:
                return !_hasAnswers || Fail($"there is no list at `{_join.Place}` to join into");
        }

        var elements = new Value[list.Count];
        var (count, objects) = (0, 0);
        foreach (var element in new Elements(list))
        {
            var extended = element;
            if (element.Kind == JsonValueKind.Object)
            {
                objects++;
                if (!TryExtend(element, isAlone: false, out extended))
                    return false;
            }

            elements[count++] = extended;
        }

        if (objects == 0 && count > 0 && _hasAnswers)
            return Fail($"the list at `{_join.Place}` contains no objects to join into");
        filled = Value.Array(elements);
        return true;
    }

    /// <summary>Builds an element with the answers that belong to it.</summary>
    private bool TryExtend(in Value element, bool isAlone, out Value extended)
    {
        extended = element;
        if (!_join.ParentKey.TryEvaluate(element, out var key, out var problem))
            return Fail(problem);
        if (isAlone && _hasAnswers && key.Kind is JsonValueKind.Null or JsonValueKind.Object)
            return Fail($"`{_join.Place}` is neither a list of objects nor an object with the key `{_join.ParentKey.Text}`");
        if (!TryFind(key, out var found))
            return false;
        extended = With(element, found);
        return true;
    }

    private bool TryFind(in Value key, out Value found)
    {
        found = Value.Null;
        if (!_isKnown)
            return true;
        if (key.Kind != JsonValueKind.Array)
        {
            if (CallInputs.Scalar(key) is not { } text || !_byKey.TryGetValue(text, out var matches))
                found = _join.Many ? Value.Array() : Value.Null;
            else if (!_join.Many && matches.Values.Count > 1)
                return FailOfSeveral();
            else
                found = _join.Many ? matches.AsList : matches.Values[0];
            return true;
        }

        // A list of keys: the element has several answers.
        var all = new List<Value>();
        foreach (var item in new Elements(key))
        {
            if (CallInputs.Scalar(item) is not { } text || !_byKey.TryGetValue(text, out var matches))
                continue;
            if (!_join.Many && matches.Values.Count > 1)
                return FailOfSeveral();
            if ((_placed += matches.Values.Count) > MaxPlaced)
                return Fail($"more than {MaxPlaced} responses would be joined into `{_join.Place}`");
            all.AddRange(matches.Values);
        }

        found = Value.Array([.. all]);
        return true;
    }

    private bool FailOfSeveral() =>
        Fail($"several responses match one element of `{_join.Place}`, which takes one: `many: true` collects them in a list");

    private bool Fail(string problem)
    {
        _problem = problem;
        return false;
    }

    /// <summary>
    /// Returns the object with one more property; an existing one of that name is replaced. Elements of a list usually have the same names:
    /// the names are built once.
    /// </summary>
    private Value With(in Value element, in Value value)
    {
        if (_names is { } names && names.Count == element.Count + 1)
        {
            var values = new Value[names.Count];
            var count = 0;
            for (var property = new Properties(element); property.MoveNext() && property.Text.SequenceEqual(names[count].Utf8); count++)
                values[count] = property.Value;
            if (count == element.Count)
            {
                values[count] = value;
                return Value.Object(names, values);
            }
        }

        var extended = MergedObject.With(element, _join.As, value);
        _names = extended.Names;
        return extended;
    }

    /// <summary>The answers of one key.</summary>
    private sealed class Matches(Value first)
    {
        private Value? _list;

        public List<Value> Values { get; } = [first];

        /// <summary>The answers as a list, built once for all elements with the key.</summary>
        public Value AsList => _list ??= Value.Array([.. Values]);
    }
}
