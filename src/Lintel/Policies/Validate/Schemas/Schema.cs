using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>A compiled schema: its keywords in the order in which they are evaluated. Immutable once it has been compiled.</summary>
internal sealed class Schema
{
    private Keyword[] _keywords = [];
    private bool _tracks;

    /// <summary>What the schema <c>false</c> says of everything.</summary>
    public bool IsFalse { get; private set; }

    /// <summary>Schemas that are applied to the same value.</summary>
    public IEnumerable<Schema> InPlace => _keywords.SelectMany(k => k.InPlace);

    /// <summary>Sets the content, once: schemas may refer to each other before they have any.</summary>
    public void Complete(IEnumerable<Keyword> keywords)
    {
        _keywords = [.. keywords.OrderBy(k => k.Order)];
        _tracks = Array.Exists(_keywords, k => k.Tracks);
    }

    /// <summary>Makes it the schema <c>false</c>.</summary>
    public void CompleteAsFalse() => IsFalse = true;

    /// <summary>Validates a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="run">The validation that it is part of.</param>
    /// <param name="evaluated">Receives what was looked at, if somebody asks for it.</param>
    public bool Check(JsonElement value, Validation run, Evaluated? evaluated = null)
    {
        if (IsFalse)
            return run.Fail("is not allowed");
        if (!run.TryEnter())
            return false;
        var own = _tracks || evaluated is not null ? new Evaluated() : null;
        var isValid = true;
        foreach (var keyword in _keywords)
        {
            if (keyword.Check(value, run, own))
                continue;
            isValid = false;
            if (!run.Collects)
                break;
        }

        run.Exit();
        if (isValid && own is not null)
            evaluated?.Add(own);
        return isValid && !run.IsTooComplex;
    }
}

/// <summary>A keyword of a schema.</summary>
internal abstract class Keyword
{
    /// <summary>Keywords with a higher number are evaluated later.</summary>
    public virtual int Order => 1;

    /// <summary>Whether it needs to know what the others have looked at.</summary>
    public virtual bool Tracks => false;

    /// <summary>Schemas that it applies to the same value.</summary>
    public virtual IEnumerable<Schema> InPlace => [];

    /// <summary>Evaluates the keyword, and records what is wrong.</summary>
    public abstract bool Check(JsonElement value, Validation run, Evaluated? evaluated);
}
