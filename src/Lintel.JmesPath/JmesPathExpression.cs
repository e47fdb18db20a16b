using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>
/// An expression of JMESPath (https://jmespath.org/specification.html), compiled once and evaluated any number of times, by any number of
/// threads.
/// </summary>
/// <remarks>
/// No text and no document makes it throw. An evaluation is bounded: it makes or looks at 1 000 000 elements at most, and its result has 64
/// MiB of JSON at most.
/// </remarks>
public sealed class JmesPathExpression
{
    private const long MaxResult = 64 * 1024 * 1024;

    private readonly Expression _expression;

    private JmesPathExpression(Expression expression) => _expression = expression;

    /// <summary>Compiles a text of 16 384 characters at most.</summary>
    /// <param name="text">The expression.</param>
    /// <param name="expression">The compiled expression.</param>
    /// <param name="problem">The problem and its position.</param>
    /// <returns>Whether the text is an expression.</returns>
    public static bool TryParse(
        string text,
        [NotNullWhen(true)] out JmesPathExpression? expression,
        [NotNullWhen(false)] out string? problem
    )
    {
        ArgumentNullException.ThrowIfNull(text);
        var parsed = Expression.Parse(text, out var found);
        expression = parsed is null ? null : new JmesPathExpression(parsed);
        problem = parsed is null ? $"{found!.Message} (at character {found.Offset + 1})" : null;
        return parsed is not null;
    }

    /// <summary>Evaluates the expression.</summary>
    /// <param name="input">The document, or a part of one.</param>
    /// <param name="result">The result, independent of the input; of kind <see cref="JsonValueKind.Null"/> where the expression finds
    /// nothing.</param>
    /// <param name="problem">What went wrong: an argument of a wrong type, or a bound.</param>
    /// <returns>Whether there is a result.</returns>
    public bool TryEvaluate(JsonElement input, out JsonElement result, [NotNullWhen(false)] out string? problem)
    {
        result = default;
        if (!_expression.TryEvaluate(new Value(input), out var value, out problem))
            return false;
        var json = new ArrayBufferWriter<byte>();
        if (!value.WriteTo(json, MaxResult))
        {
            problem = $"the result is longer than {MaxResult} bytes";
            return false;
        }

        using var document = JsonDocument.Parse(json.WrittenMemory, new JsonDocumentOptions { MaxDepth = int.MaxValue });
        result = document.RootElement.Clone();
        return true;
    }

    /// <summary>The text that was compiled.</summary>
    public override string ToString() => _expression.Text;
}
