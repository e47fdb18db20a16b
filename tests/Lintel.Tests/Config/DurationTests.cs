using Lintel.Config.Grammars;

namespace Lintel.Tests.Config;

public sealed class DurationTests
{
    [Theory]
    [InlineData("0ms", 0)]
    [InlineData("300ms", 300)]
    [InlineData("5s", 5_000)]
    [InlineData("1m", 60_000)]
    [InlineData("2h", 7_200_000)]
    [InlineData("3650d", 3650L * 86_400_000)]
    public void Duration_WithUnit_IsRead(string text, long milliseconds)
    {
        Assert.True(Scalars.TryParseDuration(text, out var value));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("+5s")]
    [InlineData("1.5s")]
    [InlineData("5 s")]
    [InlineData(" 5s")]
    [InlineData("5S")]
    [InlineData("5us")]
    [InlineData("1h30m")]
    [InlineData("3651d")]
    [InlineData("9999999999ms")]
    [InlineData("٥s")]
    public void Duration_OfAnotherForm_IsRefused(string text) => Assert.False(Scalars.TryParseDuration(text, out _));

    [Theory]
    [InlineData("0s")]
    [InlineData("1ms")]
    [InlineData("1500ms")]
    [InlineData("90s")]
    [InlineData("2m")]
    [InlineData("24h")]
    public void Format_OfADuration_ReadsBack(string text)
    {
        Assert.True(Scalars.TryParseDuration(text, out var value));
        Assert.Equal(text, Scalars.Format(value));
    }
}
