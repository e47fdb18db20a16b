using Lintel.Forwarding.Grpc;

namespace Lintel.Tests.Forwarding.Grpc;

public sealed class GrpcTimeoutTests
{
    [Theory]
    [InlineData("1H", 3_600_000)]
    [InlineData("2M", 120_000)]
    [InlineData("30S", 30_000)]
    [InlineData("250m", 250)]
    [InlineData("5000u", 5)]
    [InlineData("99999999n", 99.9999)]
    [InlineData("0S", 0)]
    [InlineData("99999999H", 24 * 86_400_000.0)]
    public void Timeout_OfEveryUnit_IsRead(string text, double milliseconds) =>
        Assert.Equal(milliseconds, GrpcTimeout.Parse(text)!.Value.TotalMilliseconds, 4);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("1")]
    [InlineData("1s")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData(" 1S")]
    [InlineData("1.5S")]
    [InlineData("123456789S")]
    public void Timeout_ThatIsNone_IsNotOurs(string? text) => Assert.Null(GrpcTimeout.Parse(text));
}
