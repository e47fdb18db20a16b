using Lintel.Config;

namespace Lintel.Tests.Config;

public sealed class MemoryAmountTests
{
    [Theory]
    [InlineData("50%", 500_000_000)]
    [InlineData("12.5%", 125_000_000)]
    [InlineData("100%", 1_000_000_000)]
    [InlineData("1MiB", 1 << 20)]
    [InlineData("2GB", 2_000_000_000)]
    public void Amount_OfAGigabyte_IsItsShareOrItsSize(string written, long expected)
    {
        var reading = GatewayReader.Parse($"limits: {{ memory: {written} }}");
        Assert.Empty(reading.Report.Problems);
        Assert.Equal(expected, reading.Config!.Limits.Memory.Of(1_000_000_000));
        Assert.Equal(written, reading.Config.Limits.Memory.ToString());
    }

    [Theory]
    [InlineData("0%", "out-of-range")]
    [InlineData("101%", "bad-value")]
    [InlineData("50", "bad-value")]
    [InlineData("half", "bad-value")]
    [InlineData("64KiB", "out-of-range")]
    [InlineData("[1MiB]", "wrong-type")]
    public void Amount_ThatIsNone_IsRefusedWithARemedy(string written, string code)
    {
        var problem = Assert.Single(GatewayReader.Parse($"limits: {{ memory: {written} }}").Report.Problems);
        Assert.Equal((code, "limits.memory"), (problem.Code, problem.Path));
        Assert.StartsWith("write a", problem.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Amount_OutOfRangeInCode_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryAmount.Share(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryAmount.Share(101));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryAmount.Size(1000));
    }
}
