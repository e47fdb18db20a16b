using System.Buffers;
using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Lintel.JmesPath;

namespace Lintel.Benchmarks;

/// <summary>
/// An answer of 1.2 kB (a user and 20 orders) through an expression, beside JmesPath.Net (decision 0013). The library works on its own
/// tree, so that its turn is parse, evaluate and write; Lintel's is measured the same way, and without the parse, which composition does
/// anyway.
/// </summary>
public class JmesPathBenchmarks
{
    private const string Field = "user.name";
    private const string Shape = "{user: user.name, orders: orders[?price > `5`].{id: id, name: name}, total: sum(orders[*].price)}";

    private static readonly string Document =
        $$"""{"user":{"id":7,"name":"Ada","plan":"gold"},"orders":[{{string.Join(',', Enumerable.Range(0, 20).Select(i => $$"""{"id":{{i}},"name":"Item {{i}}","price":{{i}}.50,"tags":["a","b"]}"""))}}]}""";

    private static readonly byte[] Utf8 = Encoding.UTF8.GetBytes(Document);

    private readonly ArrayBufferWriter<byte> _output = new(4096);
    private readonly JsonDocument _parsed = JsonDocument.Parse(Utf8);
    private Expression _expression = null!;
    private DevLab.JmesPath.Expressions.JmesPathExpression _library = null!;

    [Params(Field, Shape)]
    public string Text { get; set; } = Field;

    [GlobalSetup]
    public void Compile()
    {
        _expression = Expression.Parse(Text, out var problem) ?? throw new InvalidOperationException(problem!.Message);
        _library = new DevLab.JmesPath.JmesPath().Parse(Text);
    }

    [Benchmark(Baseline = true)]
    public int Lintel()
    {
        using var document = JsonDocument.Parse(Utf8);
        return Evaluate(document);
    }

    [Benchmark]
    public int LintelOnParsed() => Evaluate(_parsed);

    [Benchmark]
    public string JmesPathNet() =>
        _library.Transform(Newtonsoft.Json.Linq.JToken.Parse(Document)).AsJToken().ToString(Newtonsoft.Json.Formatting.None);

    private int Evaluate(JsonDocument document)
    {
        _output.ResetWrittenCount();
        if (
            !_expression.TryEvaluate(new Value(document.RootElement), out var result, out var problem)
            || !result.WriteTo(_output, int.MaxValue)
        )
            throw new InvalidOperationException(problem ?? "the result is too long");
        return _output.WrittenCount;
    }
}
