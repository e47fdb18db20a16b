using System.Collections.Frozen;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;

namespace Lintel.Composition.Plan;

/// <summary>A compiled call: nothing is looked up by name afterwards.</summary>
internal sealed class PlannedCall
{
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required PlannedRequest Request { get; init; }

    /// <summary>The calls with results that it needs.</summary>
    public required int[] Needs { get; init; }

    /// <summary>The calls that must have succeeded; a subset of <see cref="Needs"/>.</summary>
    public required int[] After { get; init; }

    /// <summary>The calls that need it.</summary>
    public int[] NeededBy { get; set; } = [];

    public required CallConfig Config { get; init; }

    public Expression? Condition { get; init; }

    public FanOut? FanOut { get; init; }

    public required FrozenSet<int> Passthrough { get; init; }

    /// <summary>The last fallback for a failed answer, as JSON; <see langword="null"/> for null.</summary>
    public byte[]? FallbackValue { get; init; }

    public bool MayBeStale { get; init; }

    public PlannedRequest? Compensation { get; init; }

    /// <summary>Selects the part of an answer that is the call's value; <see langword="null"/> for all of it.</summary>
    public Expression? Select { get; init; }

    /// <summary>Sends slow requests again; <see langword="null"/>: as the service's <c>hedge</c> says.</summary>
    public Hedging? Hedging { get; init; }

    /// <summary>
    /// The property of the default answer; <see langword="null"/> for none, because it is joined into another call's value.
    /// </summary>
    public byte[]? Property { get; init; }

    /// <summary>Whether the properties of its value are placed in the root of the answer.</summary>
    public bool IsSpread { get; init; }

    /// <summary>
    /// Whether an expression looks into its value; otherwise its text is checked and passed through byte for byte, without parsing.
    /// </summary>
    public bool NeedsDocument { get; set; }

    /// <summary>Whether another call of the composition may make the same request: then requests are compared.</summary>
    public bool MayRepeat { get; set; }

    /// <summary>Whether an answer of this call is, or was, in the store. Set from any thread; never reset.</summary>
    public bool HasKept { get; set; }

    /// <summary>
    /// Returns the error of an expression of this call that cannot be evaluated: the client's if it reads only the client's body, otherwise
    /// the services'.
    /// </summary>
    /// <param name="expression">The expression.</param>
    /// <param name="key">Its key in the call.</param>
    /// <param name="problem">The problem.</param>
    public GatewayError ExpressionError(Expression expression, string key, string problem) =>
        new(
            IsOfClient(expression.Roots?.Select(r => r.Name)) ? GatewayErrorKind.BadPlaceholder : GatewayErrorKind.ExpressionFailed,
            $"`calls.{Name}.{key}`: {problem}"
        );

    /// <summary>Whether all names refer to the client's body, or an item of a list in it.</summary>
    /// <param name="roots">The names; <see langword="null"/> for the whole scope.</param>
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

    /// <summary>
    /// Counts the bytes of its answers; resolved at the first answer. May be set from any thread: the result is always the same.
    /// </summary>
    public CallBytes? Bytes { get; set; }
}

/// <summary>A compiled request.</summary>
/// <param name="Service">The destination.</param>
/// <param name="Config">The configuration.</param>
/// <param name="Target">Path and query.</param>
/// <param name="References">The references of its placeholders, by slot.</param>
/// <param name="Headers">Its own fields.</param>
/// <param name="Body">The body; <see langword="null"/> for none.</param>
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

/// <summary>Makes a call for each item of a list.</summary>
/// <param name="Items">The expression of the list.</param>
/// <param name="Batch">How many items one request takes; 0 for a request per item.</param>
/// <param name="Concurrency">The maximum number of concurrent requests.</param>
/// <param name="MaxItems">The maximum number of different items.</param>
/// <param name="Join">Where the answers are joined; <see langword="null"/> if they stay a list.</param>
internal sealed record FanOut(Expression Items, int Batch, int Concurrency, int MaxItems, Join? Join);

/// <summary>Joins answers into the elements of another call's list.</summary>
/// <param name="Into">The other call.</param>
/// <param name="Path">The path of the list in its value; empty if the value is the list.</param>
/// <param name="Place">Call and path, as configured.</param>
/// <param name="Key">The key of an answer.</param>
/// <param name="ParentKey">The key of an element; may be a list of keys.</param>
/// <param name="As">The element's property.</param>
/// <param name="Many">Whether the property is the list of all answers that belong to the element; otherwise at most one is allowed.</param>
/// <param name="IsOfItems">Whether each item has its own request: different items may then have the same answer, which counts once.</param>
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
