using System.Text.RegularExpressions;

namespace Lintel.Tests.Architecture;

/// <summary>The walk through the code names files and members: they are there.</summary>
public sealed partial class WalkDocumentTests
{
    private static readonly string Walk = File.ReadAllText(Path.Combine(Repository.Root, "docs", "walk.md"));

    private static readonly string[] Files =
    [
        .. Directory
            .EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal)),
    ];

    [Fact]
    public void Files_ThatTheWalkNames_Exist()
    {
        var named = FileName().Matches(Walk).Select(m => m.Groups[1].Value).Distinct().ToList();
        Assert.True(named.Count > 50, $"only {named.Count} files");
        var missing = named.FindAll(n => !Array.Exists(Files, f => f.EndsWith("/" + n, StringComparison.Ordinal)));
        Assert.Empty(missing);
    }

    [Fact]
    public void Members_ThatTheWalkNames_Exist()
    {
        var words = Files.SelectMany(f => Word().Matches(File.ReadAllText(f)).Select(m => m.Value)).ToHashSet(StringComparer.Ordinal);
        var named = Member()
            .Matches(Walk)
            .Select(m => m.Groups[1].Value)
            .Where(n => !n.EndsWith(".cs", StringComparison.Ordinal))
            .Distinct()
            .ToList();
        Assert.True(named.Count > 50, $"only {named.Count} members");
        var missing = named.FindAll(n => n.Split('.').Any(part => !words.Contains(part)));
        Assert.Empty(missing);
    }

    [GeneratedRegex(@"`([\w./-]+\.cs)`")]
    private static partial Regex FileName();

    [GeneratedRegex(@"`([A-Z]\w*(?:\.[A-Z]\w*)*)`")]
    private static partial Regex Member();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Word();
}
