namespace Lintel.Tests.Golden;

/// <summary>
/// Every file of <c>broken/</c> with its problems, line by line, in the <c>.golden</c> file beside it.
/// A new case is a new file; <c>LINTEL_UPDATE_GOLDEN=1</c> writes the expected text, to be reviewed before it is committed.
/// </summary>
public sealed class BrokenConfigurationTests
{
    private static readonly string Folder = Path.Combine(Repository.Tests, "Golden", "broken");

    public static TheoryData<string> Cases =>
        [
            .. Directory
                .EnumerateFiles(Folder)
                .Where(f => Path.GetExtension(f) is ".yaml" or ".json")
                .Select(f => Path.GetFileName(f)!)
                .Order(StringComparer.Ordinal),
        ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Problems_OfBrokenConfiguration_AreAsExpected(string name)
    {
        var reading = GatewayReader.Load(Path.Combine(Folder, name));
        var said = string.Concat(
            reading.Report.Problems.Select(p =>
                p.ToString().Replace(Folder + "/", "", StringComparison.Ordinal).Replace(Folder, ".", StringComparison.Ordinal) + "\n"
            )
        );

        var golden = Path.Combine(Folder, Path.ChangeExtension(name, ".golden"));
        if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            File.WriteAllText(golden, said);

        Assert.False(reading.Report.IsValid, "a broken configuration was accepted");
        Assert.Equal(File.ReadAllText(golden), said);
    }

    [Fact]
    public void GoldenFiles_WithoutConfiguration_DoNotExist()
    {
        var orphans = Directory
            .EnumerateFiles(Folder, "*.golden")
            .Where(g => !File.Exists(Path.ChangeExtension(g, ".yaml")) && !File.Exists(Path.ChangeExtension(g, ".json")));
        Assert.Empty(orphans);
        Assert.True(Cases.Count >= 50);
    }
}
