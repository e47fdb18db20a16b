using System.Buffers;
using System.Text;
using System.Text.Json;
using Lintel.JmesPath;

namespace Lintel.Tests.JmesPath;

/// <summary>A value's text written in pieces, and its length, against the text written at once.</summary>
public sealed class ValueTextTests
{
    public static TheoryData<string> Values =>
        ["null", "true", "1.50", "\"a\\u00e9\\n\"", "[]", "{}", "[1, [2,{\"a\":[ ]}],\"x\"]", "{\"a\" : {\"b\":[1,2, 3]}, \"c\":null}"];

    [Theory]
    [MemberData(nameof(Values))]
    public void Text_InPiecesOfAnySize_IsTheTextAtOnce(string json)
    {
        using var document = JsonDocument.Parse(json);
        foreach (
            var value in (Value[])
                [
                    new(document.RootElement),
                    Made(new Value(document.RootElement)),
                    Value.Array(Made(new Value(document.RootElement)), Value.String("a\"\u0001b"), Value.Null),
                ]
        )
        {
            var whole = new ArrayBufferWriter<byte>();
            Assert.True(value.WriteTo(whole, long.MaxValue));
            Assert.True(value.TryMeasure(whole.WrittenCount, out var length));
            Assert.Equal(whole.WrittenCount, length);
            Assert.False(value.TryMeasure(whole.WrittenCount - 1, out _));
            for (var size = 1; size < 20; size++)
            {
                var pieces = new ArrayBufferWriter<byte>();
                var text = new ValueText(value);
                while (!text.IsWhole)
                    Assert.InRange(text.Write(pieces, size), 0, size + 20);
                Assert.Equal(Encoding.UTF8.GetString(whole.WrittenSpan), Encoding.UTF8.GetString(pieces.WrittenSpan));
            }
        }
    }

    /// <summary>The same value, all of whose lists and objects were made here.</summary>
    private static Value Made(Value value)
    {
        if (value.Kind == JsonValueKind.Array)
        {
            var items = new List<Value>();
            foreach (var item in new Elements(value))
                items.Add(Made(item));
            return Value.Array([.. items]);
        }

        if (value.Kind != JsonValueKind.Object)
            return value;
        var (names, values) = (new List<string>(), new List<Value>());
        for (var property = new Properties(value); property.MoveNext(); )
        {
            names.Add(property.Name.ToString());
            values.Add(Made(property.Value));
        }

        return Value.Object(new Names([.. names]), [.. values]);
    }
}
