using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Tests.Config;

public sealed class SizeTests
{
    [Theory]
    [InlineData("0B", 0)]
    [InlineData("512B", 512)]
    [InlineData("64KiB", 65_536)]
    [InlineData("64KB", 64_000)]
    [InlineData("10MB", 10_000_000)]
    [InlineData("10MiB", 10_485_760)]
    [InlineData("2GiB", 2_147_483_648)]
    [InlineData("3TB", 3_000_000_000_000)]
    [InlineData("8388607TiB", 8388607L << 40)]
    public void Size_WithUnit_IsRead(string text, long bytes)
    {
        Assert.True(SizeGrammar.TryParse(text, out var value));
        Assert.Equal(bytes, value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("MiB")]
    [InlineData("-5MiB")]
    [InlineData("1.5MiB")]
    [InlineData("5 MiB")]
    [InlineData("5mib")]
    [InlineData("5M")]
    [InlineData("5Mb")]
    [InlineData("8388608TiB")]
    [InlineData("99999999999999999999B")]
    [InlineData("٥MB")]
    public void Size_OfAnotherForm_IsRefused(string text) => Assert.False(SizeGrammar.TryParse(text, out _));

    [Theory]
    [InlineData("0B")]
    [InlineData("1B")]
    [InlineData("1500B")]
    [InlineData("2KB")]
    [InlineData("64KiB")]
    [InlineData("100MiB")]
    [InlineData("10MB")]
    [InlineData("16TiB")]
    public void Format_OfASize_ReadsBack(string text)
    {
        Assert.True(SizeGrammar.TryParse(text, out var value));
        Assert.Equal(text, SizeGrammar.Format(value));
    }

    [Theory]
    [InlineData("5", "`5` is not a size; write a whole number with its unit, from `1KiB` to `1MiB`, such as `512B`, `64KiB` or `10MB`")]
    [InlineData("1B", "`1B` is out of range; write a whole number with its unit, from `1KiB` to `1MiB`, such as `512B`, `64KiB` or `10MB`")]
    public void Size_Refused_SaysWhatWouldBeRight(string text, string expected)
    {
        var report = new ConfigReport();
        Assert.False(Scalars.Size(1024, 1 << 20).TryRead(new ScalarNode(default, text, isQuoted: false), KeyPath.Root["x"], report, out _));
        var problem = Assert.Single(report.Problems);
        Assert.Equal(expected, $"{problem.Message}; {problem.Hint}");
    }
}
