using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

/// <summary>The official cases (https://github.com/jmespath/jmespath.test).</summary>
public sealed class ComplianceTests
{
    /// <summary>The number of cases; a folder with fewer is incomplete.</summary>
    private const int KnownCases = 892;

    private static readonly string Folder = Path.Combine(Repository.Tests, "JmesPath", "cases");

    [Fact]
    public void Expressions_OfTheOfficialCases_GiveTheirResults()
    {
        var failures = new List<string>();
        var count = 0;
        foreach (var file in Directory.EnumerateFiles(Folder, "*.json").Order(StringComparer.Ordinal))
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var group in document.RootElement.EnumerateArray())
            {
                foreach (var test in group.GetProperty("cases").EnumerateArray())
                {
                    count++;
                    var failure = Failure(group.GetProperty("given"), test);
                    if (failure is not null)
                        failures.Add($"{Path.GetFileName(file)}: {test.GetProperty("expression")}: {failure}");
                }
            }
        }

        Assert.Empty(failures);
        Assert.True(count >= KnownCases, $"only {count} cases");
    }

    private static string? Failure(JsonElement given, JsonElement test)
    {
        var expected = test.TryGetProperty("result", out var result) ? (JsonElement?)result : null;
        var kind = test.TryGetProperty("error", out var error) ? error.GetString() : null;
        var expression = Expression.Parse(test.GetProperty("expression").GetString()!, out var problem);
        if (expression is null)
            return kind is null || problem is null || problem.Message.Length == 0 ? $"does not parse: {problem}" : null;

        // Only types are known no earlier than the input.
        if (kind is not null and not "invalid-type")
            return $"parses, and should be {kind}";
        if (!expression.TryEvaluate(new Value(given), out var value, out var failure))
            return kind is null ? failure : null;
        if (kind is not null)
            return $"gives {value}, and should be {kind}";
        using var written = JsonDocument.Parse(value.ToString());
        return JsonElement.DeepEquals(written.RootElement, expected!.Value) ? null : $"gives {value}, and should give {expected}";
    }
}
