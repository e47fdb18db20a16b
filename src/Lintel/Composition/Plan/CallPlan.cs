using Lintel.Config;
using Lintel.JmesPath;
using Lintel.Routing;

namespace Lintel.Composition.Plan;

/// <summary>A compiled composition: its calls as a graph, and the shapes of its answers.</summary>
internal sealed class CallPlan
{
    public required string Route { get; init; }

    public required PlannedCall[] Calls { get; init; }

    /// <summary>The deadline of the whole composition.</summary>
    public required TimeSpan Deadline { get; init; }

    public required ComposeLimitsConfig Limits { get; init; }

    /// <summary>The client's fields that calls may receive, as configured.</summary>
    public required string[] ForwardHeaders { get; init; }

    /// <summary>Those of them that calls do receive.</summary>
    public required ForwardedField[] Forwarded { get; init; }

    /// <summary>The names that expressions can use: the calls in their order, then <c>request</c>, <c>item</c> and <c>items</c>.</summary>
    public required Names Scope { get; init; }

    public required AnswerShape Answer { get; init; }

    public required Variant[] Variants { get; init; }

    /// <summary>The start of the default answer: the brace and the first property's name.</summary>
    public required byte[] Opening { get; init; }

    public ConflictRule? Conflict { get; init; }

    /// <summary>Whether several calls write into the root of the answer, so that their values must be compatible.</summary>
    public bool SharesRoot { get; init; }

    public bool Streams { get; init; }

    /// <summary>Joins in the order in which they are made: a join into a list before the join of the list itself.</summary>
    public required (PlannedCall Call, Join Join)[] Joins { get; init; }

    /// <summary>Whether the client's body is used.</summary>
    public bool ReadsBody { get; init; }

    /// <summary>Whether an expression looks into the client's body, which then must be JSON.</summary>
    public bool ParsesBody { get; init; }

    /// <summary>Headers of the client, in addition to the forwarded ones, that the answer depends on.</summary>
    public required string[] VaryBy { get; init; }

    /// <summary>Whether the answer depends on the client's address or claims, which no client header expresses.</summary>
    public bool DependsOnCaller { get; init; }

    /// <summary>Distinguishes this plan's answers from those of another one over the same parts.</summary>
    public required ulong Fingerprint { get; init; }

    /// <summary>The slot of the client's body in the scope.</summary>
    public int RequestSlot => Calls.Length;

    /// <summary>The slot of the item of a <c>forEach</c> in the scope; the list of a batch follows it.</summary>
    public int ItemSlot => Calls.Length + 1;

    public int ScopeSize => Calls.Length + 3;

    /// <summary>Returns the shape for a client.</summary>
    public AnswerShape ShapeFor(RoutedRequest request)
    {
        foreach (var variant in Variants)
        {
            if (Array.TrueForAll(variant.Conditions, c => c.Holds(request)))
                return variant.Shape;
        }

        return Answer;
    }
}

/// <summary>The shape of an answer.</summary>
/// <param name="Client">The client it is for; <see langword="null"/> for all others.</param>
/// <param name="Body">The body; <see langword="null"/> for one property per call.</param>
/// <param name="Headers">Fields and the expressions of their values.</param>
/// <param name="Status">The status of an answer with all required parts.</param>
/// <param name="ReportsErrors">Whether <c>_errors</c> reports optional parts that failed.</param>
internal sealed record AnswerShape(string? Client, Shape? Body, (string Name, Expression Value)[] Headers, int Status, bool ReportsErrors)
{
    /// <summary>The calls that are not made for it, by index; <see langword="null"/> if all are made.</summary>
    public bool[]? Unneeded { get; init; }

    /// <summary>The calls that it shows; <see langword="null"/> for all of them.</summary>
    public HashSet<string>? Shown
    {
        get
        {
            if (Body?.Roots is not { } roots)
                return null;
            var shown = roots.ToHashSet();
            foreach (var (_, value) in Headers)
            {
                if (value.Roots is not { } more)
                    return null;
                shown.UnionWith(more.Select(r => r.Name));
            }

            return shown;
        }
    }
}

/// <summary>The shape for one client.</summary>
/// <param name="Conditions">The conditions that identify the client.</param>
/// <param name="Shape">Its shape.</param>
internal sealed record Variant(Condition[] Conditions, AnswerShape Shape);
