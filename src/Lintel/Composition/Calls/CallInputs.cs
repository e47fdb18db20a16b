using System.Text;
using System.Text.Json;
using Lintel.JmesPath;
using Lintel.Pipeline;

namespace Lintel.Composition.Calls;

/// <summary>The values of a request's placeholders, for one rendering.</summary>
internal sealed class CallInputs(Expression[] references, Value scope) : ReferencedValues
{
    /// <summary>
    /// The last reference evaluated for a path, which is the one that does not fit if the path cannot be rendered; <see langword="null"/>
    /// if it fits, and the cause is a different one.
    /// </summary>
    public Expression? Unusable { get; private set; }

    /// <summary>The answers of other calls as this call sees them.</summary>
    public Value Scope => scope;

    public override string? Text(int slot)
    {
        var text = references[slot].TryEvaluate(scope, out var value, out _) ? Scalar(value) : null;
        Unusable = text is null or "" or "." or ".." ? references[slot] : null;
        return text;
    }

    public override string? QueryText(int slot)
    {
        if (!references[slot].TryEvaluate(scope, out var value, out _))
            return null;
        if (value.Kind != JsonValueKind.Array)
            return Scalar(value) is { } text ? Uri.EscapeDataString(text) : null;
        var joined = new StringBuilder();
        foreach (var item in new Elements(value))
        {
            if (Scalar(item) is { } text)
                joined.Append(joined.Length == 0 ? "" : ",").Append(Uri.EscapeDataString(text));
        }

        return joined.ToString();
    }

    /// <summary>Returns the text of a value that is allowed in a URL or a header: numbers as the service wrote them.</summary>
    public static string? Scalar(in Value value) =>
        value.Kind switch
        {
            JsonValueKind.String => Encoding.UTF8.GetString(Value.TextOf(value)),
            JsonValueKind.Number => Encoding.UTF8.GetString(value.NumberText),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => null,
        };
}
