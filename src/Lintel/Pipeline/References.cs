namespace Lintel.Pipeline;

/// <summary>
/// Scope of what placeholders may refer to besides the client's request, while templates are compiled: in a composition, responses of other
/// calls.
/// </summary>
internal abstract class ReferenceScope
{
    /// <summary>The names that can start a reference.</summary>
    public abstract IEnumerable<string> Names { get; }

    /// <summary>Resolves a placeholder that begins with one of <see cref="Names"/>.</summary>
    /// <returns>The slot of its value in <see cref="ReferencedValues"/>; -1 with a problem.</returns>
    public abstract int Add(string expression, out string? problem, out string? hint);

    public bool Takes(string expression)
    {
        var end = 0;
        while (end < expression.Length && (char.IsAsciiLetterOrDigit(expression[end]) || expression[end] == '_'))
            end++;
        return end > 0 && (end == expression.Length || expression[end] is '.' or '[') && Names.Contains(expression[..end]);
    }
}

/// <summary>The values of a <see cref="ReferenceScope"/>'s slots, for one rendering.</summary>
internal abstract class ReferencedValues
{
    /// <summary>A slot's text; <see langword="null"/> if there is no value, or none that is text, number or boolean.</summary>
    public abstract string? Text(int slot);

    /// <summary>A slot's text for a query parameter, escaped; for a list, the items separated by commas.</summary>
    public abstract string? QueryText(int slot);
}
