using Lintel.Pipeline;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Pipeline;

public sealed class ForwardedChainTests
{
    [Theory]
    [InlineData("for=192.0.2.7", "for=192.0.2.7, for=me")]
    [InlineData("For=192.0.2.7;Proto=https", "for=192.0.2.7;proto=https, for=me")]
    [InlineData("for=\"[2001:db8::1]:80\" ; by=_x ,, for=b", "for=\"[2001:db8::1]:80\";by=_x, for=b, for=me")]
    [InlineData("for=\"a\\\"b\\\\\"", "for=\"a\\\"b\\\\\", for=me")]
    [InlineData("for=\"plain\"", "for=plain, for=me")]
    [InlineData("host=\"x, for=evil\"", "host=\"x, for=evil\", for=me")]
    [InlineData("for=a|for=b", "for=a, for=b, for=me")]
    [InlineData("", "for=me")]
    public void Field_ThatIsRight_IsWrittenAnew(string lines, string expected) =>
        Assert.Equal(expected, ForwardedChain.Parse(new StringValues(lines.Split('|')))?.With("for=me"));

    [Theory]
    [InlineData("for=\"open")]
    [InlineData("for=\"open\\")]
    [InlineData("for=a b")]
    [InlineData("for=\"a\"b")]
    [InlineData("for")]
    [InlineData("=a")]
    [InlineData("for=")]
    [InlineData("for =a")]
    [InlineData("for=a;for=b")]
    [InlineData("for=[::1]")]
    [InlineData("for=a|for=\"open")]
    public void Field_ThatIsWrong_IsNone(string lines) => Assert.Null(ForwardedChain.Parse(new StringValues(lines.Split('|'))));
}
