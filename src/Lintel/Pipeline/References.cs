namespace Lintel.Pipeline;

/// <summary>
/// What placeholders may refer to beside the client's request, while templates are compiled: in a composition, other calls' answers.
/// </summary>
internal abstract class ReferenceScope
{
    /// <summary>The names that a reference may begin with.</summary>
    public abstract IEnumerable<string> Names { get; }

    /// <summary>Takes a placeholder that begins with one of <see cref="Names"/>.</summary>
    /// <returns>Its slot, by which <see cref="ReferencedValues"/> has its value; -1 with a problem.</returns>
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
    /// <summary>A slot's text; <see langword="null"/> where there is no value, or none that is text, number or boolean.</summary>
    public abstract string? Text(int slot);

    /// <summary>A slot's text for a query parameter, escaped; of a list the items, separated by commas.</summary>
    public abstract string? QueryText(int slot);
}
