using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

/// <summary>Properties of any expression and any document.</summary>
public sealed class ExpressionPropertyTests
{
    [Fact]
    public void Parse_OfAnyText_TellsAProblemOrGivesAnExpression() =>
        Gen.OneOf(Gen.String, RandomJmesPath.Any.Select(r => r.Words()))
            .Sample(
                text =>
                {
                    var expression = Expression.Parse(text, out var problem);
                    return expression is null
                        ? problem is { Message.Length: > 0 } && problem.Offset >= 0 && problem.Offset <= text.Length
                        : problem is null;
                },
                iter: 50_000
            );

    [Fact]
    public void Evaluation_OfAnyDocument_TellsAProblemOrGivesJson() =>
        RandomJmesPath.Any.Sample(
            random =>
            {
                var expression = Expression.Parse(random.Expression(), out var problem);
                Assert.True(expression is not null, problem?.Message);
                using var document = JsonDocument.Parse(random.Document(odd: true));
                if (!expression.TryEvaluate(new Value(document.RootElement), out var result, out var error))
                    return error.Length > 0;
                using var written = JsonDocument.Parse(Written(result));
                return true;
            },
            iter: 50_000
        );

    [Fact]
    public void WrittenResult_ReadAgain_IsEqualToTheResult() =>
        RandomJmesPath.Any.Sample(
            random =>
            {
                var expression = Expression.Parse(random.Expression(), out _)!;
                using var document = JsonDocument.Parse(random.Document(odd: true));
                if (!expression.TryEvaluate(new Value(document.RootElement), out var result, out _))
                    return true;
                using var written = JsonDocument.Parse(Written(result));
                return AreEqual(result, new Value(written.RootElement)) && AreEqual(new Value(written.RootElement), result);
            },
            iter: 20_000
        );

    [Fact]
    public void CurrentNode_OfAnyDocument_IsTheDocumentByteForByte() =>
        RandomJmesPath.Any.Sample(random =>
        {
            var text = random.Document(odd: true);
            using var document = JsonDocument.Parse(text);
            return Expression.Parse("@", out _)!.TryEvaluate(new Value(document.RootElement), out var result, out _)
                && Encoding.UTF8.GetString(Written(result)) == text;
        });

    [Fact]
    public void Roots_OfAnyExpression_AreAllThatItReads() =>
        RandomJmesPath.Any.Sample(
            random =>
            {
                var expression = Expression.Parse(random.Expression(), out _)!;
                if (expression.Roots is not { } roots)
                    return expression.WholeInput is not null;

                // Whatever the other fields contain, the result is the same.
                var names = new Names("a", "b", "c", "d");
                using var document = JsonDocument.Parse(
                    $"[{string.Join(",", Enumerable.Range(0, 8).Select(_ => random.Document(odd: true, depth: 2)))}]"
                );
                Value[] first = [.. document.RootElement.EnumerateArray().Take(4).Select(e => new Value(e))];
                Value[] second = [.. document.RootElement.EnumerateArray().Skip(4).Select(e => new Value(e))];
                foreach (var root in roots)
                    second[names.IndexOf(Encoding.UTF8.GetBytes(root.Name))] = first[names.IndexOf(Encoding.UTF8.GetBytes(root.Name))];
                var one = expression.TryEvaluate(Value.Object(names, first), out var result, out var error);
                var other = expression.TryEvaluate(Value.Object(names, second), out var otherResult, out var otherError);
                return one == other && error == otherError && Written(result).AsSpan().SequenceEqual(Written(otherResult));
            },
            iter: 20_000
        );

    [Fact]
    public void Equality_OfAnyValues_IsReflexiveSymmetricAndBlindToTheOrderOfMembers() =>
        RandomJmesPath.Any.Sample(random =>
        {
            using var one = JsonDocument.Parse(random.Document(odd: false));
            using var other = JsonDocument.Parse(random.Document(odd: false));
            var (a, b) = (new Value(one.RootElement), new Value(other.RootElement));
            using var turned = JsonDocument.Parse(Turned(one.RootElement));
            return AreEqual(a, a)
                && AreEqual(a, new Value(turned.RootElement))
                && AreEqual(a, b) == AreEqual(b, a)
                && AreEqual(a, b) == JsonElement.DeepEquals(one.RootElement, other.RootElement);
        });

    private static byte[] Written(in Value value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Assert.True(value.WriteTo(buffer, 16 * 1024 * 1024));
        return buffer.WrittenSpan.ToArray();
    }

    private static bool AreEqual(in Value a, in Value b)
    {
        var evaluation = new Evaluation(Expression.DefaultMaxWork);
        return Comparison.AreEqual(a, b, ref evaluation);
    }

    /// <summary>The same with all members from behind.</summary>
    private static string Turned(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Object => "{"
                + string.Join(",", element.EnumerateObject().Reverse().Select(p => $"{JsonSerializer.Serialize(p.Name)}:{Turned(p.Value)}"))
                + "}",
            JsonValueKind.Array => "[" + string.Join(",", element.EnumerateArray().Select(Turned)) + "]",
            _ => element.GetRawText(),
        };
}
