using System.Text;
using System.Text.RegularExpressions;

namespace Lintel.Tests.Architecture;

/// <summary>
/// <c>docs/attacks.md</c> is made of the attacks that tests mount (<see cref="Lintel.TestKit.AttackAttribute"/>).
/// <c>LINTEL_UPDATE_GOLDEN=1</c> writes it, to be reviewed before it is committed.
/// </summary>
public sealed partial class AttackTableTests
{
    private const string Literals = """"
        "(?:[^"\\]|\\.)*"(?:\s*\+\s*"(?:[^"\\]|\\.)*")*
        """";

    private const string Head = """
        # Attacks that the tests mount

        Attacks on authentication, authorization and identities, each with the test that mounts it. Written by `AttackTableTests` from the
        tests themselves. [threats.md](threats.md) is the threat model as a whole; [hostile-requests.md](hostile-requests.md) and
        [hostile-frames.md](hostile-frames.md) have the malformed messages.

        | attack | answer | test |
        | --- | --- | --- |

        """;

    [Fact]
    public void Document_OfAttacks_IsThatOfTheTests()
    {
        var path = Path.Combine(Repository.Root, "docs", "attacks.md");
        var rows = Rows().ToList();
        Assert.Equal(rows.Count, rows.Distinct(StringComparer.Ordinal).Count());
        var table = Head + string.Concat(rows);
        if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            File.WriteAllText(path, table);
        Assert.Equal(table, File.ReadAllText(path));
    }

    /// <summary>An attack that is not written as two texts before a method would be missing in the table.</summary>
    [Fact]
    public void Attacks_InTheSources_AreAllInTheTable() => Assert.Equal(Sources().Sum(s => Use().Count(s.Text)), Rows().Count());

    private static IEnumerable<string> Rows() =>
        from source in Sources()
        from attack in Attack().Matches(source.Text)
        let subject = Class().Matches(source.Text[..attack.Index]).Last().Groups[1].Value
        let method = Method().Match(source.Text, attack.Index + attack.Length).Groups[1].Value
        select $"| {Text(attack.Groups[1])} | {Text(attack.Groups[2])} | `{subject}.{method}` |\n";

    private static IEnumerable<(string Path, string Text)> Sources() =>
        Directory
            .EnumerateFiles(Path.Combine(Repository.Root, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(f => (f, File.ReadAllText(f)));

    /// <summary>The value of one or more joined literals, for a cell.</summary>
    private static string Text(Group literals)
    {
        var text = new StringBuilder();
        foreach (var literal in Literal().EnumerateMatches(literals.ValueSpan))
            text.Append(literals.ValueSpan.Slice(literal.Index + 1, literal.Length - 2));
        return Regex.Unescape(text.ToString()).Replace("|", "\\|", StringComparison.Ordinal);
    }

    [GeneratedRegex("""^ +\[Attack\(""", RegexOptions.Multiline)]
    private static partial Regex Use();

    [GeneratedRegex($"""^ +\[Attack\(\s*({Literals})\s*,\s*({Literals})\s*\)\]""", RegexOptions.Multiline)]
    private static partial Regex Attack();

    [GeneratedRegex(
        """
            "(?:[^"\\]|\\.)*"
            """
    )]
    private static partial Regex Literal();

    [GeneratedRegex("""^(?:public|internal) (?:sealed |abstract |static |partial )*class (\w+)""", RegexOptions.Multiline)]
    private static partial Regex Class();

    [GeneratedRegex("""^ +public (?:async |static )*(?:void|Task|ValueTask) (\w+)\(""", RegexOptions.Multiline)]
    private static partial Regex Method();
}
