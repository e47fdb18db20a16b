using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>What is wrong in a document.</summary>
/// <param name="Detail">What is wrong, without the value.</param>
/// <param name="Pointer">Where: a JSON Pointer (RFC 6901).</param>
internal readonly record struct Violation(string Detail, string Pointer);

/// <summary>One document's validation: where it is, what was found, and how much work it may still cost.</summary>
/// <remarks>Thread rule: one flow.</remarks>
/// <param name="maxViolations">After so many it is not looked any further.</param>
internal sealed class Validation(int maxViolations)
{
    /// <summary>
    /// How often a schema may be applied to a value. A step costs some tenths of a microsecond: schemas that multiply, as nested
    /// alternatives do, end within a fraction of a second.
    /// </summary>
    private const int MaxSteps = 1_000_000;

    /// <summary>How deep schemas may be applied within each other: eight for each level of a document of 64 levels.</summary>
    private const int MaxDepth = 512;

    /// <summary>The longest pointer: names in a document are its sender's. Beyond it, it leads to what is around the place.</summary>
    private const int MaxPointer = 256;

    private readonly List<object> _path = [];
    private int _steps;
    private int _depth;
    private int _quiet;

    public List<Violation> Violations { get; } = [];

    /// <summary>Whether it was given up: the outcome is not known, and the document must not be taken for valid.</summary>
    public bool IsTooComplex { get; private set; }

    /// <summary>Whether violations are of interest. Otherwise the first one decides.</summary>
    public bool Collects => _quiet == 0 && Violations.Count < maxViolations && !IsTooComplex;

    /// <summary>Begins to apply a schema; false if there was too much of that.</summary>
    public bool TryEnter()
    {
        if (IsTooComplex || ++_steps > MaxSteps || ++_depth > MaxDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            IsTooComplex = true;
            return false;
        }

        return true;
    }

    /// <summary>Ends what <see cref="TryEnter"/> has begun.</summary>
    public void Exit() => _depth--;

    /// <summary>Begins to look at a member or an item.</summary>
    public void Push(object step) => _path.Add(step);

    /// <summary>Ends what <see cref="Push"/> has begun.</summary>
    public void Pop() => _path.RemoveAt(_path.Count - 1);

    /// <summary>From here on violations are expected, and not told.</summary>
    public void BeQuiet() => _quiet++;

    /// <summary>Ends what <see cref="BeQuiet"/> has begun.</summary>
    public void Speak() => _quiet--;

    /// <summary>Records a violation at the current place, or below it.</summary>
    /// <returns>False.</returns>
    public bool Fail(string detail, object? below = null)
    {
        if (Collects)
            Violations.Add(new(detail, Pointer(below)));
        return false;
    }

    private string Pointer(object? below)
    {
        var text = new StringBuilder();
        foreach (var step in below is null ? _path : _path.Append(below))
        {
            var length = text.Length;
            Append(text, step);
            if (text.Length > MaxPointer)
                return text.ToString(0, length);
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, object step)
    {
        text.Append('/');
        if (step is string name)
            text.Append(name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));
        else
            text.Append(CultureInfo.InvariantCulture, $"{step}");
    }
}

/// <summary>
/// The members and items of one value that schemas have looked at, for <c>unevaluatedProperties</c> and <c>unevaluatedItems</c>.
/// </summary>
internal sealed class Evaluated
{
    private readonly HashSet<string> _members = new(StringComparer.Ordinal);
    private readonly HashSet<int> _items = [];

    public void Add(string member) => _members.Add(member);

    public void Add(int item) => _items.Add(item);

    public void Add(Evaluated other)
    {
        _members.UnionWith(other._members);
        _items.UnionWith(other._items);
    }

    public bool Has(string member) => _members.Contains(member);

    public bool Has(int item) => _items.Contains(item);
}
