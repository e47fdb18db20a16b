using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

/// <summary>
/// 400 random expressions and documents, with the results of the reference implementation (jmespath.py 1.1.0). They exclude its
/// deviations: it orders strings, and escapes non-ASCII letters in <c>to_string</c>.
/// </summary>
public sealed class ReferenceTests
{
    private static readonly string File = Path.Combine(Repository.Tests, "JmesPath", "reference-cases.jsonl");

    [Fact]
    public void Expressions_OfTheReferenceCases_GiveItsResults()
    {
        var failures = new List<string>();
        var count = 0;
        foreach (var line in System.IO.File.ReadLines(File))
        {
            count++;
            using var test = JsonDocument.Parse(line);
            var expression = Expression.Parse(test.RootElement.GetProperty("expression").GetString()!, out _)!;
            var given = new Value(test.RootElement.GetProperty("given"));
            var expected = test.RootElement.TryGetProperty("result", out var result) ? new Value(result) : (Value?)null;
            if (!expression.TryEvaluate(given, out var value, out var problem))
            {
                if (expected is not null)
                    failures.Add($"{line}: {problem}");
                continue;
            }

            using var written = JsonDocument.Parse(value.ToString());
            if (expected is null || !JsonElement.DeepEquals(written.RootElement, result))
                failures.Add($"{line}: {value}");
        }

        Assert.Empty(failures);
        Assert.Equal(400, count);
    }
}
