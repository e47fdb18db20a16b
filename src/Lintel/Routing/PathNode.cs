using Microsoft.AspNetCore.Http;

namespace Lintel.Routing;

/// <summary>A node of the path tree: everything that can follow the segments above it.</summary>
internal sealed class PathNode<TRoute>
    where TRoute : class
{
    // Most nodes of a large table have one kind of child, or none: an empty dictionary is not allocated, empty arrays are shared.
    private Dictionary<string, PathNode<TRoute>>? _literals;
    private Dictionary<string, PathNode<TRoute>>.AlternateLookup<ReadOnlySpan<char>> _literalLookup;
    private (TemplateSegment Segment, PathNode<TRoute> Node)[] _mixed = [];
    private (TemplateSegment Segment, PathNode<TRoute> Node)[] _parameters = [];
    private (TemplateSegment Segment, PathNode<TRoute> Node)[] _catchAlls = [];
    private Candidate<TRoute>[] _candidates = [];

    public IReadOnlyList<Candidate<TRoute>> Candidates => _candidates;

    /// <summary>All nodes below, including this one, from top to bottom.</summary>
    public List<PathNode<TRoute>> All()
    {
        var all = new List<PathNode<TRoute>>();
        Collect(all);
        return all;
    }

    /// <summary>Returns the node for these segments, and creates it if it is missing. Used while the table is built.</summary>
    public PathNode<TRoute> Grow(ReadOnlySpan<TemplateSegment> segments)
    {
        if (segments.IsEmpty)
            return this;
        var segment = segments[0];
        PathNode<TRoute>? next;
        if (segment.IsLiteral)
        {
            var text = segment.Parts[0].Folded!;
            if (_literals is null)
            {
                _literals = new(StringComparer.OrdinalIgnoreCase);
                _literalLookup = _literals.GetAlternateLookup<ReadOnlySpan<char>>();
            }

            if (!_literals.TryGetValue(text, out next))
                _literals.Add(text, next = new PathNode<TRoute>());
        }
        else if (segment.IsCatchAll)
            next = FindOrAdd(ref _catchAlls, segment);
        else if (segment.IsParameter)
            next = FindOrAdd(ref _parameters, segment);
        else
            next = FindOrAdd(ref _mixed, segment);

        return next.Grow(segments[1..]);
    }

    public void Add(Candidate<TRoute> candidate) => _candidates = [.. _candidates, candidate];

    /// <summary>
    /// Sorts everything in the node by precedence. Most nodes of a large table have at most one entry of a kind: for these nothing is
    /// allocated.
    /// </summary>
    public void Sort()
    {
        if (_mixed.Length > 1)
            _mixed =
            [
                .. _mixed
                    .OrderByDescending(c => c.Segment.IsConstrained)
                    .ThenByDescending(c => c.Segment.Parts.Sum(p => p.Literal?.Length ?? 0))
                    .ThenBy(c => c.Segment.Shape, StringComparer.Ordinal),
            ];
        _parameters = Ordered(_parameters);
        _catchAlls = Ordered(_catchAlls);
        if (_candidates.Length > 1)
        {
            _candidates =
            [
                .. _candidates
                    .OrderByDescending(c => c.Methods.Length > 0)
                    .ThenByDescending(c => c.Count(ConditionPlace.Listener))
                    .ThenByDescending(c => c.Count(ConditionPlace.Scheme))
                    .ThenByDescending(c => c.Count(ConditionPlace.Header))
                    .ThenByDescending(c => c.Count(ConditionPlace.Query))
                    .ThenByDescending(c => c.Count(ConditionPlace.Cookie))
                    .ThenBy(c => c.Name, StringComparer.Ordinal),
            ];
        }

        static (TemplateSegment Segment, PathNode<TRoute> Node)[] Ordered((TemplateSegment Segment, PathNode<TRoute> Node)[] children) =>
            children.Length < 2
                ? children
                : [.. children.OrderByDescending(c => c.Segment.IsConstrained).ThenBy(c => c.Segment.Shape, StringComparer.Ordinal)];
    }

    public bool Find(in RoutedRequest request, string path, string method, ref RouteLookup<TRoute> lookup) =>
        Descend(request, path, 1, 0, method, ref lookup);

    private static PathNode<TRoute> FindOrAdd(ref (TemplateSegment Segment, PathNode<TRoute> Node)[] children, TemplateSegment segment)
    {
        foreach (var (other, node) in children)
        {
            if (other.Shape == segment.Shape)
                return node;
        }

        var added = new PathNode<TRoute>();
        children = [.. children, (segment, added)];
        return added;
    }

    private void Collect(List<PathNode<TRoute>> all)
    {
        all.Add(this);
        if (_literals is not null)
        {
            foreach (var child in _literals.Values)
                child.Collect(all);
        }

        foreach (var children in (ReadOnlySpan<(TemplateSegment Segment, PathNode<TRoute> Node)[]>)[_mixed, _parameters, _catchAlls])
        {
            foreach (var (_, child) in children)
                child.Collect(all);
        }
    }

    /// <summary>
    /// Matches the path from <paramref name="at"/> on, most specific first. Each node of the tree is visited at most once per look-up.
    /// </summary>
    private bool Descend(in RoutedRequest request, string path, int at, int captured, string method, ref RouteLookup<TRoute> lookup)
    {
        if (at >= path.Length)
            return Choose(request, method, ref lookup) || DescendCatchAll(request, path, path.Length, captured, method, ref lookup);

        var slash = path.IndexOf('/', at);
        var end = slash < 0 ? path.Length : slash;
        var segment = path.AsSpan(at, end - at);

        if (
            _literals is not null
            && _literalLookup.TryGetValue(PathFold.NeedsFolding(segment) ? PathFold.Fold(segment, null) : segment, out var literal)
            && literal.Descend(request, path, end + 1, captured, method, ref lookup)
        )
            return true;

        foreach (var (mixed, node) in _mixed)
        {
            var count = PathFold.NeedsFolding(segment)
                ? SegmentMatcher.TryCaptureFolded(mixed, segment, at, lookup.Captures[captured..])
                : SegmentMatcher.TryCapture(mixed, segment, at, lookup.Captures[captured..]);
            if (count >= 0 && node.Descend(request, path, end + 1, captured + count, method, ref lookup))
                return true;
        }

        foreach (var (parameter, node) in _parameters)
        {
            if (segment.IsEmpty || !SegmentMatcher.Accepts(parameter.Parts[0].Constraints, segment))
                continue; // an empty segment, if the route keeps them, is not a value
            lookup.Captures[captured] = new Capture(at, segment.Length);
            if (node.Descend(request, path, end + 1, captured + 1, method, ref lookup))
                return true;
        }

        return DescendCatchAll(request, path, at, captured, method, ref lookup);
    }

    private bool DescendCatchAll(in RoutedRequest request, string path, int at, int captured, string method, ref RouteLookup<TRoute> lookup)
    {
        foreach (var (segment, node) in _catchAlls)
        {
            if (!SegmentMatcher.Accepts(segment.Parts[^1].Constraints, path.AsSpan(at)))
                continue;
            lookup.Captures[captured] = new Capture(at, path.Length - at);
            if (node.Choose(request, method, ref lookup))
                return true;
        }

        return false;
    }

    private bool Choose(in RoutedRequest request, string method, ref RouteLookup<TRoute> lookup)
    {
        if (!HttpMethods.IsHead(method))
            return ChooseFor(request, method, ref lookup);

        // GET also matches HEAD (RFC 9110 section 9.3.2), unless a route at this very path lists HEAD itself.
        foreach (var candidate in _candidates)
        {
            if (!candidate.Lists(method) || !candidate.ConditionsHold(request))
                continue;
            lookup.Outcome = RouteOutcome.Found;
            lookup.Candidate = candidate;
            return true;
        }

        return ChooseFor(request, HttpMethods.Get, ref lookup);
    }

    private bool ChooseFor(in RoutedRequest request, string method, ref RouteLookup<TRoute> lookup)
    {
        foreach (var candidate in _candidates)
        {
            var takesMethod = candidate.TakesMethod(method);
            if (!takesMethod && lookup.Outcome == RouteOutcome.MethodNotAllowed && candidate.Methods.All(lookup.Allowed!.Contains))
                continue;
            if (!candidate.ConditionsHold(request))
                continue;
            if (takesMethod)
            {
                lookup.Outcome = RouteOutcome.Found;
                lookup.Candidate = candidate;
                return true;
            }

            lookup.Outcome = RouteOutcome.MethodNotAllowed;
            (lookup.Allowed ??= new SortedSet<string>(StringComparer.Ordinal)).UnionWith(candidate.Methods);
        }

        return false;
    }
}

/// <summary>Matches one segment of a path.</summary>
internal static class SegmentMatcher
{
    public static bool Accepts(PathConstraint[] constraints, ReadOnlySpan<char> value)
    {
        if (constraints.Length == 0)
            return true;
        if (value.Contains('%'))
            value = Uri.UnescapeDataString(value.ToString()); // constraints apply to the decoded text
        foreach (var constraint in constraints)
        {
            if (!constraint.Accepts(value))
                return false;
        }

        return true;
    }

    /// <summary>Matches text with characters above ASCII, folding its case before the comparison.</summary>
    /// <returns>The number of captures, or -1.</returns>
    public static int TryCaptureFolded(TemplateSegment segment, ReadOnlySpan<char> text, int offset, Span<Capture> captures)
    {
        var origins = new List<int>(text.Length + 1);
        var folded = PathFold.Fold(text, origins);
        var count = Capture(segment, folded, captures);
        var index = 0;
        foreach (var part in count < 0 ? [] : segment.Parts)
        {
            if (part.Parameter is null)
                continue;
            var (start, end) = (origins[captures[index].Start], origins[captures[index].Start + captures[index].Length]);
            if (!Accepts(part.Constraints, text[start..end]))
                return -1;
            captures[index++] = new Capture(offset + start, end - start);
        }

        return count;
    }

    /// <summary>Matches literals and parameters of one segment.</summary>
    /// <returns>The number of captures, or -1.</returns>
    public static int TryCapture(TemplateSegment segment, ReadOnlySpan<char> text, int offset, Span<Capture> captures)
    {
        var count = Capture(segment, text, captures);
        var index = 0;
        foreach (var part in count < 0 ? [] : segment.Parts)
        {
            if (part.Parameter is null)
                continue;
            var (start, length) = captures[index];
            if (!Accepts(part.Constraints, text.Slice(start, length)))
                return -1;
            captures[index++] = new Capture(offset + start, length);
        }

        return count;
    }

    /// <summary>
    /// Matches literals and parameters from the right, each parameter as long as possible, as ASP.NET Core does: <c>{name}.{ext}</c> splits
    /// <c>a.b.c</c> into <c>a.b</c> and <c>c</c>.
    /// </summary>
    /// <returns>The number of captures, or -1.</returns>
    private static int Capture(TemplateSegment segment, ReadOnlySpan<char> text, Span<Capture> captures)
    {
        var parts = segment.Parts;
        var total = parts.Count(p => p.Parameter is not null);
        var end = text.Length;
        var index = total;
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            if (parts[i].Folded is { } literal)
            {
                if (!text[..end].EndsWith(literal, StringComparison.OrdinalIgnoreCase))
                    return -1;
                end -= literal.Length;
                continue;
            }

            // The parameter ends here and begins after the last occurrence of the text before it.
            var start = 0;
            if (i > 0)
            {
                if (end == 0)
                    return -1;
                var before = parts[i - 1].Folded!;
                var found = text[..(end - 1)].LastIndexOf(before, StringComparison.OrdinalIgnoreCase);
                if (i == 1)
                    found = text.StartsWith(before, StringComparison.OrdinalIgnoreCase) ? 0 : -1;
                if (found < 0)
                    return -1;
                start = found + before.Length;
            }

            if (start >= end)
                return -1;
            captures[--index] = new Capture(start, end - start);
            end = start;
        }

        return end == 0 ? total : -1;
    }
}
