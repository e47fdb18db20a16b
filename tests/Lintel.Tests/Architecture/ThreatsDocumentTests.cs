using System.Text.RegularExpressions;

namespace Lintel.Tests.Architecture;

public sealed partial class ThreatsDocumentTests
{
    /// <summary>A defence whose test was renamed or removed is no longer known to hold.</summary>
    [Fact]
    public void Document_OfThreats_NamesTestsThatExist()
    {
        var sources = Directory
            .GetFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Select(File.ReadAllText)
            .ToList();
        var named = Test()
            .Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "threats.md")))
            .Select(m => (Class: m.Groups[1].Value, Method: m.Groups[2].Value))
            .ToList();
        Assert.NotEmpty(named);
        var missing = named.Where(t =>
            !sources.Any(s =>
                s.Contains($"class {t.Class}", StringComparison.Ordinal) && s.Contains($" {t.Method}(", StringComparison.Ordinal)
            )
        );
        Assert.Empty(missing);
    }

    [GeneratedRegex(@"`(\w+Tests)\.(\w+)`")]
    private static partial Regex Test();
}
