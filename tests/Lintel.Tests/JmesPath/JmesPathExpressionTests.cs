using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

/// <summary>The library as others use it.</summary>
public sealed class JmesPathExpressionTests
{
    [Theory]
    [InlineData("orders[?total > `10`].id | sort(@)", "[\"a\",\"c\"]")]
    [InlineData("{ n: length(orders), first: orders[0].id }", "{\"n\":3,\"first\":\"c\"}")]
    [InlineData("missing.part", "null")]
    public void Expression_OverADocument_GivesJsonOfItsOwn(string text, string expected)
    {
        Assert.True(JmesPathExpression.TryParse(text, out var expression, out _));
        JsonElement result;
        using (var document = JsonDocument.Parse("""{"orders":[{"id":"c","total":20},{"id":"b","total":1},{"id":"a","total":11}]}"""))
            Assert.True(expression.TryEvaluate(document.RootElement, out result, out _));
        Assert.Equal(expected, JsonSerializer.Serialize(result));
        Assert.Equal(text, expression.ToString());
    }

    [Fact]
    public void Text_ThatIsNoExpression_IsToldWithItsPlace()
    {
        Assert.False(JmesPathExpression.TryParse("orders[", out var expression, out var problem));
        Assert.Null(expression);
        Assert.EndsWith("(at character 8)", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Argument_OfAWrongType_IsTold()
    {
        Assert.True(JmesPathExpression.TryParse("abs(name)", out var expression, out _));
        using var document = JsonDocument.Parse("""{"name":"x"}""");
        Assert.False(expression.TryEvaluate(document.RootElement, out _, out var problem));
        Assert.Contains("abs", problem, StringComparison.Ordinal);
    }
}
