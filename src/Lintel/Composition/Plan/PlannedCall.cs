using System.Collections.Frozen;
using Lintel.Composition.Calls;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Services;

namespace Lintel.Composition.Plan;

/// <summary>A call as it is compiled: nothing is looked up by name after that.</summary>
internal sealed class PlannedCall
{
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required PlannedRequest Request { get; init; }

    /// <summary>Calls whose results it needs.</summary>
    public required int[] Needs { get; init; }

    /// <summary>Calls that must have succeeded; a part of <see cref="Needs"/>.</summary>
    public required int[] After { get; init; }

    /// <summary>Calls that need it.</summary>
    public int[] NeededBy { get; set; } = [];

    public required CallConfig Config { get; init; }

    public Expression? Condition { get; init; }

    public FanOut? FanOut { get; init; }

    public required FrozenSet<int> Passthrough { get; init; }

    /// <summary>What takes a failed answer's place at last, as JSON; <see langword="null"/> for null.</summary>
    public byte[]? FallbackValue { get; init; }

    public bool MayBeStale { get; init; }

    public PlannedRequest? Compensation { get; init; }

    /// <summary>Which part of an answer is the call's value; <see langword="null"/> for all of it.</summary>
    public Expression? Select { get; init; }

    public Hedging? Hedging { get; init; }

    /// <summary>
    /// The property of the default answer; <see langword="null"/> for none, because it is joined into another call's value.
    /// </summary>
    public byte[]? Property { get; init; }

    /// <summary>Whether the properties of its value stand in the answer itself.</summary>
    public bool IsSpread { get; init; }

    /// <summary>
    /// Whether an expression looks into its value; otherwise its text is checked and goes on byte for byte, and nothing is parsed.
    /// </summary>
    public bool NeedsDocument { get; set; }

    /// <summary>Whether another call of the composition may ask for the same: then requests are compared.</summary>
    public bool MayRepeat { get; set; }

    /// <summary>Whether an answer of this call is, or was, in the store. Any thread; never goes back.</summary>
    public bool HasKept { get; set; }

    /// <summary>
    /// An expression of this call that cannot be evaluated: the client's mistake where it looks at nothing but the client's body, and the
    /// services' otherwise.
    /// </summary>
    /// <param name="expression">The expression.</param>
    /// <param name="key">Where it stands in the call.</param>
    /// <param name="problem">What went wrong.</param>
    public GatewayError Misfit(Expression expression, string key, string problem) =>
        new(
            IsOfClient(expression.Roots?.Select(r => r.Name)) ? GatewayErrorKind.BadPlaceholder : GatewayErrorKind.ExpressionFailed,
            $"`calls.{Name}.{key}`: {problem}"
        );

    /// <summary>Whether what is looked at is the client's body, or an item of a list of it.</summary>
    /// <param name="roots">The names; <see langword="null"/> for everything.</param>
    public bool IsOfClient(IEnumerable<string>? roots)
    {
        var (any, all) = (false, roots is not null);
        foreach (var root in roots ?? [])
        {
            any = true;
            all &=
                root == "request"
                || (root is "item" or "items" && FanOut is { } fanOut && IsOfClient(fanOut.Items.Roots?.Select(r => r.Name)));
        }

        return any && all;
    }

    /// <summary>Counts what services answered to it; found at the first answer. Any thread: whoever finds it, it is the same.</summary>
    public CallBytes? Bytes { get; set; }
}

/// <summary>A request as it is compiled.</summary>
/// <param name="Service">Where it goes.</param>
/// <param name="Config">What was written.</param>
/// <param name="Target">Path and query.</param>
/// <param name="References">What its placeholders refer to, by slot.</param>
/// <param name="Headers">Fields of its own.</param>
/// <param name="Body">Its body; <see langword="null"/> for none.</param>
internal sealed record PlannedRequest(
    Service Service,
    CallRequestConfig Config,
    CallTarget Target,
    Expression[] References,
    (string Name, Template Value)[] Headers,
    Shape? Body
)
{
    /// <summary>Whether the body is the client's own, byte for byte.</summary>
    public bool PassesBody { get; init; }
}

/// <summary>A call for each item of a list.</summary>
/// <param name="Items">Gives the list.</param>
/// <param name="Batch">How many items go into one request; 0 where each has its own.</param>
/// <param name="Concurrency">How many requests run at once.</param>
/// <param name="MaxItems">How many different items there may be.</param>
/// <param name="Join">Where the answers go; <see langword="null"/> where they stay a list.</param>
internal sealed record FanOut(Expression Items, int Batch, int Concurrency, int MaxItems, Join? Join);

/// <summary>Puts answers into the elements of another call's list.</summary>
/// <param name="Into">The other call.</param>
/// <param name="Path">Where in its value the list stands; empty where it is the list.</param>
/// <param name="Place">Both, as they are written.</param>
/// <param name="Key">Over an answer.</param>
/// <param name="ParentKey">Over an element; may give a list of keys.</param>
/// <param name="As">The element's property.</param>
/// <param name="Many">Whether the property is the list of all answers that belong to the element; otherwise there may be one.</param>
/// <param name="IsOfItems">Whether each item has a request of its own: different items may then have brought the same answer, which counts
/// once.</param>
internal sealed record Join(
    int Into,
    Name[] Path,
    string Place,
    Expression Key,
    Expression ParentKey,
    Name As,
    bool Many,
    bool IsOfItems = false
);
