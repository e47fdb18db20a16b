using Lintel.Config;
using Lintel.JmesPath;
using Lintel.Routing;

namespace Lintel.Composition.Plan;

/// <summary>A composition as it is compiled: its calls as a graph, and the shapes of its answers.</summary>
internal sealed class CallPlan
{
    public required string Route { get; init; }

    public required PlannedCall[] Calls { get; init; }

    /// <summary>For the whole answer.</summary>
    public required TimeSpan Deadline { get; init; }

    public required ComposeLimitsConfig Limits { get; init; }

    /// <summary>The client's fields that calls may get, as they are listed.</summary>
    public required string[] ForwardHeaders { get; init; }

    /// <summary>Those of them that calls do get.</summary>
    public required ForwardedField[] Forwarded { get; init; }

    /// <summary>The names that expressions know: the calls in their order, then <c>request</c>, <c>item</c> and <c>items</c>.</summary>
    public required Names Scope { get; init; }

    public required AnswerShape Answer { get; init; }

    public required Variant[] Variants { get; init; }

    /// <summary>How the default answer begins: the brace and the first property's name.</summary>
    public required byte[] Opening { get; init; }

    public ConflictRule? Conflict { get; init; }

    /// <summary>Whether several calls write into the answer itself, so that their values have to go together.</summary>
    public bool SharesRoot { get; init; }

    public bool Streams { get; init; }

    /// <summary>Joins in the order in which they are made: what is joined into a list before the list itself is joined.</summary>
    public required (PlannedCall Call, Join Join)[] Joins { get; init; }

    /// <summary>Whether anything uses the client's body.</summary>
    public bool ReadsBody { get; init; }

    /// <summary>Whether an expression looks into the client's body, which then has to be JSON.</summary>
    public bool ParsesBody { get; init; }

    /// <summary>Headers of the client, beside the forwarded ones, that the answer depends on.</summary>
    public required string[] VaryBy { get; init; }

    /// <summary>Whether the answer depends on the client's address, which no header of the client says.</summary>
    public bool DependsOnAddress { get; init; }

    /// <summary>Tells this plan's answers from those of another one over the same parts.</summary>
    public required ulong Fingerprint { get; init; }

    /// <summary>Where in the scope the client's body stands.</summary>
    public int RequestSlot => Calls.Length;

    /// <summary>Where in the scope the item of a <c>forEach</c> stands; the list of a batch comes behind it.</summary>
    public int ItemSlot => Calls.Length + 1;

    public int ScopeSize => Calls.Length + 3;

    /// <summary>The shape for a client.</summary>
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

/// <summary>An answer's shape.</summary>
/// <param name="Client">Whose it is; <see langword="null"/> for everybody else's.</param>
/// <param name="Body">The body; <see langword="null"/> for one property a call.</param>
/// <param name="Headers">Fields with what gives their value.</param>
/// <param name="Status">The status of an answer with all required parts.</param>
/// <param name="TellsErrors">Whether <c>_errors</c> tells of optional parts that failed.</param>
internal sealed record AnswerShape(string? Client, Shape? Body, (string Name, Expression Value)[] Headers, int Status, bool TellsErrors)
{
    /// <summary>The calls that are not made for it, by index; <see langword="null"/> where all are.</summary>
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

/// <summary>A shape that one client gets.</summary>
/// <param name="Conditions">How the client is recognised.</param>
/// <param name="Shape">Its answer.</param>
internal sealed record Variant(Condition[] Conditions, AnswerShape Shape);
