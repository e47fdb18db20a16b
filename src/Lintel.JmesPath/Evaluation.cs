using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>
/// One evaluation of an expression: the remaining work limit and the problem. Each step that creates or visits an element costs one unit,
/// and so do 32 bytes of a created string.
/// </summary>
internal struct Evaluation(long maxWork)
{
    /// <summary>The bytes of a created string that cost as much as an element: about the memory of one.</summary>
    private const int BytesPerUnit = 32;

    private long _remaining = maxWork;

    /// <summary>Why there is no result; set once.</summary>
    public string? Problem { get; private set; }

    /// <summary>How long a string may still be made.</summary>
    public readonly long RemainingBytes => _remaining * BytesPerUnit;

    /// <summary>How many elements may still be made.</summary>
    public readonly int Remaining => (int)Math.Min(_remaining, int.MaxValue);

    public bool TrySpend(long work)
    {
        if (work <= _remaining)
        {
            _remaining -= work;
            return true;
        }

        _remaining = 0;
        return Fail("the expression exceeds the evaluation limit on this input");
    }

    public bool TrySpendBytes(long bytes) => TrySpend(1 + (bytes / BytesPerUnit));

    /// <summary>Sets the problem.</summary>
    /// <returns>False, to be returned.</returns>
    public bool Fail(string problem)
    {
        Problem ??= problem;
        return false;
    }

    /// <summary>The word of <c>type()</c> for a kind.</summary>
    public static string WordFor(JsonValueKind kind) =>
        kind switch
        {
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.String => "string",
            JsonValueKind.Number => "number",
            JsonValueKind.Array => "array",
            JsonValueKind.Object => "object",
            _ => "null",
        };
}
