using Lintel.Services.Breaking;

namespace Lintel.Tests.Services.Breaking;

public sealed class RetryAfterTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("0", 0.0)]
    [InlineData("120", 120.0)]
    [InlineData("Sat, 28 Nov 2026 12:00:30 GMT", 30.0)]
    [InlineData("Sat, 28 Nov 2026 11:00:00 GMT", 0.0)] // in the past
    [InlineData("-1", null)]
    [InlineData("1.5", null)]
    [InlineData("99999999999", null)]
    [InlineData("soon", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Value_IsSecondsOrADate(string? value, double? seconds) => Assert.Equal(seconds, RetryAfter.Parse(value, Now)?.TotalSeconds);

    [Theory]
    [InlineData(-1, "1")]
    [InlineData(0.1, "1")]
    [InlineData(1, "1")]
    [InlineData(4.01, "5")]
    public void Field_IsRoundedUpToWholeSeconds(double seconds, string value) =>
        Assert.Equal(value, RetryAfter.Field(TimeSpan.FromSeconds(seconds)).Value);
}
