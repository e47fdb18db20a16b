using System.Text;
using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

public sealed class ExpressionTests
{
    private const string Shop =
        """{"user":{"id":7,"name":"Ada"},"orders":[{"id":1,"price":1.10,"tags":["a","b"]},{"id":2,"price":20e0,"tags":[]},{"id":3,"tags":["b"]}],"empty":{},"none":null}""";

    [Theory]
    [InlineData("user.name", "\"Ada\"")]
    [InlineData("orders[*].price", "[1.10,20e0]")]
    [InlineData("orders[?price > `5`].id", "[2]")]
    [InlineData(
        "{u: user.name, o: orders[*].{t: id, p: price}}",
        """{"u":"Ada","o":[{"t":1,"p":1.10},{"t":2,"p":20e0},{"t":3,"p":null}]}"""
    )]
    [InlineData("orders[].tags[]", """["a","b","b"]""")]
    [InlineData("sort_by(orders[?price], &price)[-1].id", "2")]
    [InlineData("sum(orders[*].price)", "21.1")]
    [InlineData("none || user.id", "7")]
    [InlineData("user | name", "\"Ada\"")]
    [InlineData("orders[::-1].id", "[3,2,1]")]
    [InlineData("orders[5:0:-2].id", "[3]")]
    [InlineData("merge(user, {name: 'Grace', x: empty})", """{"id":7,"name":"Grace","x":{}}""")]
    [InlineData("join('-', keys(user))", "\"id-name\"")]
    [InlineData("none.{a: 'x'}", "null")]
    [InlineData("user.nothing.type(@)", "\"null\"")]
    [InlineData("length('é😀x')", "3")]
    [InlineData("reverse('é😀x')", "\"x😀é\"")]
    [InlineData("'quote \" and \\ and \t'", "\"quote \\\" and \\\\ and \\t\"")]
    [InlineData("max_by(orders, &id).price", "null")]
    [InlineData("contains(orders[].tags[], 'b')", "true")]
    public void Evaluation_OfAShopsDocument_GivesThisText(string text, string expected)
    {
        using var document = JsonDocument.Parse(Shop);
        Assert.True(Parsed(text).TryEvaluate(new Value(document.RootElement), out var result, out var problem), problem);
        Assert.Equal(expected, result.ToString());
    }

    [Theory]
    [InlineData("", 0, "the expression is empty", null)]
    [InlineData("user.", 5, "unexpected end of the expression: a field", null)]
    [InlineData("user name", 5, "an operator or the end of the expression is expected here", null)]
    [InlineData("user.name = 'x'", 10, "`=` is not an operator", "`==`")]
    [InlineData("$.user", 0, "`$` is not part of JMESPath", "`@`")]
    [InlineData("user['name']", 5, "an index, a slice or `*`", null)]
    [InlineData("user[name]", 5, "an index, a slice or `*`", "`.name`")]
    [InlineData("a.b | len(x)", 6, "unknown function `len`", "did you mean `length`?")]
    [InlineData("lenght(x)", 0, "unknown function `lenght`", "did you mean `length`?")]
    [InlineData("toString(x)", 0, "unknown function `toString`", "did you mean `to_string`?")]
    [InlineData("zzzzzzzzzz(x)", 0, "unknown function `zzzzzzzzzz`", "known functions: abs, avg")]
    [InlineData("[a, length()]", 4, "`length` takes 1 argument, got 0", null)]
    [InlineData("merge()", 0, "`merge` takes at least 1 argument, got 0", null)]
    [InlineData("sort_by(a, b)", 11, "`sort_by` takes an expression reference here", "`&`")]
    [InlineData("length(&a)", 7, "`length` does not take an expression reference here", "`&`")]
    [InlineData("&a", 0, "`&` is allowed only before an argument", null)]
    [InlineData("a == 1", 5, "a bare number is allowed only in brackets", "`` `1` ``")]
    [InlineData("a == `x`", 5, "the text between the backticks is not valid JSON", "'text'")]
    [InlineData("a['b", 2, "the closing `'` is missing", null)]
    [InlineData("`1", 0, "the closing `` ` `` is missing", null)]
    [InlineData("\"a", 0, "the closing `\"` is missing", null)]
    [InlineData("a[::0]", 4, "the step of a slice must not be 0", null)]
    [InlineData("a[99999999999]", 2, "the index does not fit in 32 bits", null)]
    [InlineData("{a: b, a: c}", 7, "duplicate member `a`", null)]
    [InlineData("{'a': b}", 1, "a member name", "double")]
    [InlineData("\"length\"(a)", 0, "function names are written without quotes", null)]
    [InlineData("a.😀", 2, "`😀` is unexpected here", "double quotes")]
    public void Parse_OfAMistake_TellsWhereAndWhatInstead(string text, int offset, string message, string? hint)
    {
        Assert.Null(Expression.Parse(text, out var problem));
        Assert.StartsWith(message, problem!.Message, StringComparison.Ordinal);
        Assert.Equal(offset, problem.Offset);
        if (hint is not null)
            Assert.Contains(hint, problem.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abs(user)", "`abs` at 0 takes number, got object")]
    [InlineData("[length(none)]", "`length` at 1 takes string or array or object, got null")]
    [InlineData("starts_with(user.name, user.id)", "`starts_with` at 0 takes string, got number as argument 2")]
    [InlineData("sum(orders)", "`sum` at 0 takes numbers, got object among the elements")]
    [InlineData("sort_by(orders, &tags)", "`sort_by` at 0 takes strings or numbers to order by, got array")]
    [InlineData("max(`[1, \"a\"]`)", "`max` at 0 takes strings or numbers to order by, got both")]
    [InlineData("sum(`[1e400, 1]`)", "the sum at 0 is out of the range of numbers")]
    public void Evaluation_OfAWrongType_TellsIt(string text, string expected)
    {
        using var document = JsonDocument.Parse(Shop);
        Assert.False(Parsed(text).TryEvaluate(new Value(document.RootElement), out var result, out var problem));
        Assert.Equal(expected, problem);
        Assert.True(result.IsNull);
    }

    [Theory]
    [InlineData("user.name", "user@0")]
    [InlineData("orders[*].{t: x, u: y}", "orders@0")]
    [InlineData("[a.b, c || d, e == f]", "a@1 c@6 d@11 e@14 f@19")]
    [InlineData("a | b", "a@0")]
    [InlineData("@.a | b", "a@2")]
    [InlineData("(@).a", "a@4")]
    [InlineData("@ | {x: a, y: b.c}", "a@8 b@14")]
    [InlineData("items[?price > limit].name", "items@0")]
    [InlineData("sort_by(items, &price)[0]", "items@8")]
    [InlineData("map(&x, not_null(a, b))", "a@17 b@20")]
    [InlineData("'text'", "")]
    [InlineData("{a: `1`, b: 'x'}", "")]
    [InlineData("!a && \"b c\".d", "a@1 b c@6")]
    [InlineData("a[0][1:2].b[]", "a@0")]
    [InlineData("{u: user, o: orders} | o[0]", "user@4 orders@13")]
    [InlineData("a.[b, c.keys(@)]", "a@0")]
    [InlineData("[a, b, a]", "a@1 b@4")]
    public void Roots_OfAnExpression_AreTheFieldsThatItReads(string text, string expected)
    {
        var expression = Parsed(text);
        Assert.Equal(expected, string.Join(' ', expression.Roots!.Select(r => $"{r.Name}@{r.Offset}")));
        Assert.Null(expression.WholeInput);
    }

    [Theory]
    [InlineData("@", 0)]
    [InlineData("*", 0)]
    [InlineData("a || @", 5)]
    [InlineData("[a, keys(@)]", 9)]
    [InlineData("*.a", 0)]
    [InlineData("{all: @, a: a}", 6)]
    [InlineData("[*].a", 0)]
    [InlineData("merge(@, {a: a})", 6)]
    [InlineData("(@ || a).b", 1)]
    public void Roots_OfAnExpressionThatTakesItsWholeInput_AreNull(string text, int offset)
    {
        var expression = Parsed(text);
        Assert.Null(expression.Roots);
        Assert.Equal(offset, expression.WholeInput);
    }

    [Fact]
    public void Parse_OfHostileTexts_IsBounded()
    {
        Refused(new string('a', Expression.MaxLength + 1), "longer than");
        Refused(new string('(', 8000) + "a" + new string(')', 8000), "levels deep");
        Refused(new string('!', 16_000) + "a", "levels deep");
        Refused(string.Concat(Enumerable.Repeat("[", 16_000)), "levels deep");
        Refused("a" + string.Concat(Enumerable.Repeat(".a", 8000)), "levels deep");
        Refused("a" + string.Concat(Enumerable.Repeat("|a", 8000)), "levels deep");
        Refused("a" + string.Concat(Enumerable.Repeat("[]", 8000)), "levels deep");
        Refused(string.Concat(Enumerable.Repeat("abs(", 4000)), "levels deep");
        Assert.NotNull(Expression.Parse("a" + string.Concat(Enumerable.Repeat(".a", Expression.MaxHeight - 2)), out _));
    }

    [Fact]
    public void Evaluation_OnTheSmallestUsualStack_HasRoomForTheDeepestExpression()
    {
        var text = string.Concat(Enumerable.Repeat("map(&[*], [", 60)) + "@" + string.Concat(Enumerable.Repeat("])", 60));
        var expression = Parsed(text);
        var succeeded = false;
        var thread = new Thread(
            () =>
            {
                using var document = JsonDocument.Parse("[[1]]");
                succeeded = expression.TryEvaluate(new Value(document.RootElement), out var result, out _) && result.ToString().Length > 0;
            },
            maxStackSize: 256 * 1024
        );
        thread.Start();
        thread.Join();
        Assert.True(succeeded);
    }

    [Fact]
    public void Evaluation_OfExpressionsThatGrow_StopsAtTheLimit()
    {
        // Each step doubles: 2^60 elements, from one.
        using var document = JsonDocument.Parse($"[1, \"{new string('x', 1000)}\"]");
        var input = new Value(document.RootElement);
        foreach (var step in new[] { "[@, @][]", "[@, @][*][]", "[to_string(@), to_string(@)] | join('', @)", "map(&[@, @], @)[]" })
        {
            var expression = Parsed("@" + string.Concat(Enumerable.Repeat(" | " + step, 40)));
            Assert.False(expression.TryEvaluate(input, out _, out var problem));
            Assert.Equal("the expression exceeds the evaluation limit on this input", problem);
        }
    }

    [Fact]
    public void Values_ThatShareTheirParts_AreNeitherComparedNorWrittenInFull()
    {
        // 120 arrays of two: a tree of 2^120 leaves.
        var doubled = "a" + string.Concat(Enumerable.Repeat(" | [@, @]", 120));
        using var document = JsonDocument.Parse("""{"a":[1]}""");
        var input = new Value(document.RootElement);
        Assert.True(Parsed(doubled).TryEvaluate(input, out var result, out _));
        Assert.False(result.WriteTo(new System.Buffers.ArrayBufferWriter<byte>(), 1_000_000));
        Assert.False(Parsed($"({doubled}) == ({doubled})").TryEvaluate(input, out _, out _));
        Assert.False(Parsed($"to_string({doubled})").TryEvaluate(input, out _, out _));
        Assert.False(Parsed($"contains([{doubled}], ({doubled}))").TryEvaluate(input, out _, out _));
    }

    [Fact]
    public void Evaluation_OfWhatOnlyPointsIntoTheInput_AllocatesNothing()
    {
        using var document = JsonDocument.Parse(Shop);
        var input = Value.Object(new Names("shop"), [new Value(document.RootElement)]);
        foreach (
            var text in new[]
            {
                "shop.user.name",
                "shop.orders[1].price",
                "shop.none || shop.user",
                "length(shop.orders) > `2` && shop.user.name == 'Ada'",
                "contains(shop.user.name, 'd')",
            }
        )
        {
            var expression = Parsed(text);
            expression.TryEvaluate(input, out _, out _);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var succeeded = expression.TryEvaluate(input, out _, out _);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(succeeded);
        }
    }

    [Fact]
    public void Search_OfAPartThatNearlyMatchesEverywhere_IsLinear()
    {
        // Byte by byte this would be 10^12 comparisons: hours.
        var text = new string('a', 4_000_000);
        var part = new string('a', 500_000) + "b" + new string('a', 500_000);
        Assert.False(CodePoints.Contains(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(part)));
        Assert.True(CodePoints.Contains(Encoding.UTF8.GetBytes(text + part + text), Encoding.UTF8.GetBytes(part)));
    }

    private static void Refused(string text, string message)
    {
        Assert.Null(Expression.Parse(text, out var problem));
        Assert.Contains(message, problem!.Message, StringComparison.Ordinal);
    }

    private static Expression Parsed(string text)
    {
        var expression = Expression.Parse(text, out var problem);
        Assert.True(expression is not null, problem?.ToString());
        return expression;
    }
}
