using Lintel.Composition.Plan;

namespace Lintel.Runtime;

/// <summary>Finds the calls that an answer does not need, so that they are not made for it.</summary>
/// <remarks>
/// Needed are the calls that the answer's body and headers refer to, the calls joined into them, and all calls that these refer to or come
/// after. Always needed are calls with effects, calls with statuses that pass through (they decide the answer), and calls that no answer
/// shows and no call refers to: they are made for their own sake, such as a check that has to succeed.
/// </remarks>
internal sealed class NeededCalls
{
    private readonly PlannedCall[] _calls;
    private readonly bool[] _always;

    /// <param name="calls">All calls, linked.</param>
    /// <param name="shapes">All answers.</param>
    public NeededCalls(PlannedCall[] calls, IReadOnlyCollection<AnswerShape> shapes)
    {
        _calls = calls;
        var shown = new bool[calls.Length];
        foreach (var shape in shapes)
            Show(shape, shown);
        _always = Array.ConvertAll(calls, c =>
            !c.Request.Config.IsSafe || c.Passthrough.Count > 0 || (!shown[c.Index] && c.NeededBy.Length == 0)
        );
    }

    /// <summary>Returns the calls that are not made for a shape.</summary>
    /// <returns>By index; <see langword="null"/> if all are made.</returns>
    public bool[]? Unneeded(AnswerShape shape)
    {
        var needed = (bool[])_always.Clone();
        Show(shape, needed);
        var names = _calls.Select(c => c.Name).ToList();
        for (var hasGrown = true; hasGrown; )
        {
            hasGrown = false;
            foreach (var call in _calls.Where(c => needed[c.Index]))
            {
                var undo = call.Compensation is { } request
                    ? request.References.SelectMany(r => r.Roots ?? []).Select(r => r.Name).Concat(request.Body?.Roots ?? [])
                    : [];
                foreach (var other in call.Needs.Concat(undo.Select(n => names.IndexOf(n))).Where(i => i >= 0 && !needed[i]))
                    hasGrown = needed[other] = true;
            }
        }

        return Array.TrueForAll(needed, n => n) ? null : Array.ConvertAll(needed, n => !n);
    }

    private void Show(AnswerShape shape, bool[] shown)
    {
        var names = shape.Shown;
        foreach (var call in _calls)
            shown[call.Index] |= names?.Contains(call.Name) ?? true;
        for (var hasGrown = true; hasGrown; )
        {
            hasGrown = false;
            foreach (var call in _calls)
            {
                if (call.FanOut?.Join is { } join && shown[join.Into] && !shown[call.Index])
                    hasGrown = shown[call.Index] = true;
            }
        }
    }
}
