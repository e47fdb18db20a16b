using System.Buffers;
using System.Text;
using System.Text.Json;
using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Config;
using Lintel.JmesPath;

namespace Lintel.Tests.Composition;

/// <summary>
/// What services and clients send costs in proportion to its length: twice as much takes twice the memory, and not four times.
/// </summary>
public sealed class LinearCostTests
{
    public static TheoryData<string> Works =>
        [
            "json",
            "ndjson",
            "xml",
            "xml of one name",
            "xml of many names",
            "text",
            "join",
            "join of many",
            "join of lists of keys",
            "merge",
            "expression",
            "measure",
        ];

    [Theory]
    [MemberData(nameof(Works))]
    public void Work_OnTwiceAsMuch_TakesTwiceTheMemory(string work)
    {
        Run(work, 2000); // compiles the code
        var (once, twice) = (Run(work, 20_000), Run(work, 40_000));
        Assert.True(twice < 2.7 * once + 100_000, $"{work}: {once} bytes, and {twice} for twice as much");
        Assert.True(once < 20_000 * 4000L, $"{work}: {once} bytes"); // of items with some dozen bytes each
    }

    private static long Run(string work, int count)
    {
        var input = Input(work, count);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Do(work, input);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static byte[] Input(string work, int count) =>
        Encoding.UTF8.GetBytes(
            work switch
            {
                "xml" => "<r>" + string.Concat(Enumerable.Range(0, count).Select(i => $"<a x='{i}'><b>{i}</b>t<c/></a>")) + "</r>",
                "xml of one name" => "<r>" + string.Concat(Enumerable.Repeat("<a/>", count)) + "</r>",
                "xml of many names" => "<r>" + string.Concat(Enumerable.Range(0, count).Select(i => $"<a{i}/>")) + "</r>",
                "text" => string.Concat(Enumerable.Repeat("a \"line\"\n", count)),
                "ndjson" => string.Concat(Enumerable.Range(0, count).Select(i => $"{{\"id\":{i}}}\n")),
                "merge" => "{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"k{i}\":{{\"v\":{i}}}")) + "}",
                _ => "[" + string.Join(',', Enumerable.Range(0, count).Select(i => $"{{\"id\":{i},\"keys\":[{i},1],\"n\":\"x\"}}")) + "]",
            }
        );

    private static void Do(string work, byte[] input)
    {
        var output = new Counted();
        switch (work)
        {
            case "xml" or "xml of one name" or "xml of many names":
                XmlAnswer.Convert(input, null, output);
                return;
            case "json" or "ndjson" or "text":
                var answer = new CallAnswer { Status = 200 };
                answer.Body.Replace(input);
                AnswerReader.Normalize(answer, Enum.Parse<AnswerFormat>(work, ignoreCase: true), null!);
                Assert.Null(AnswerReader.Read(answer, null, out _));
                return;
        }

        using var document = JsonDocument.Parse(input);
        var value = new Value(document.RootElement);
        switch (work)
        {
            case "join" or "join of many" or "join of lists of keys":
                var join = new Join(
                    0,
                    [],
                    "list",
                    Of("id"),
                    Of(work == "join of lists of keys" ? "keys" : "id"),
                    Name.Of("as"),
                    Many: work == "join of many"
                );
                Assert.Null(JoinedList.TryJoin(value, value, join, out _));
                return;
            case "merge":
                Assert.Equal(value.Count, MergedObject.Merge(value, value, ConflictRule.Deep).Count);
                return;
            case "expression":
                Assert.True(Of("[?id > `5`].{a: id, b: n} | [::2]").TryEvaluate(value, out _, out _));
                return;
            case "measure":
                Assert.Null(
                    JoinedList.TryJoin(
                        value,
                        Value.Null,
                        new Join(0, [], "list", Of("id"), Of("id"), Name.Of("as"), Many: false),
                        out var joined
                    )
                );
                Assert.True(joined.TryMeasure(long.MaxValue, out var length));
                var text = new ValueText(joined);
                while (!text.IsWhole)
                    text.Write(output, 1000);
                Assert.Equal(length, output.Count);
                return;
        }

        static Expression Of(string text) => Expression.Parse(text, out _)!;
    }

    /// <summary>Accepts all writes, and discards them.</summary>
    private sealed class Counted : IBufferWriter<byte>
    {
        private readonly byte[] _room = new byte[64 * 1024];

        public long Count { get; private set; }

        public void Advance(int count) => Count += count;

        public Memory<byte> GetMemory(int sizeHint = 0) => _room;

        public Span<byte> GetSpan(int sizeHint = 0) => _room;
    }
}
