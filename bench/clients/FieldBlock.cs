using System.Globalization;
using System.Text;

namespace Lintel.Bench.Clients;

/// <summary>Fields of HTTP/2 (RFC 7541) as a server sends them to who has no dynamic table. Huffman codes are left as they are: names that matter here are sent without.</summary>
internal static class FieldBlock
{
    /// <summary>Those of the static table (appendix A) that matter here, with their values.</summary>
    private static readonly Dictionary<int, (string Name, string Value)> Known = new()
    {
        [8] = (":status", "200"),
        [9] = (":status", "204"),
        [10] = (":status", "206"),
        [11] = (":status", "304"),
        [12] = (":status", "400"),
        [13] = (":status", "404"),
        [14] = (":status", "500"),
    };

    public static List<(string Name, string Value)> Read(ReadOnlySpan<byte> block)
    {
        List<(string, string)> fields = [];
        while (!block.IsEmpty)
        {
            var first = block[0];
            if ((first & 0x80) != 0)
            {
                fields.Add(Static(Integer(ref block, 7)));
            }
            else if ((first & 0xe0) == 0x20)
            {
                Integer(ref block, 5); // the table's size
            }
            else
            {
                var name = Integer(ref block, (first & 0x40) != 0 ? 6 : 4) is > 0 and var index ? Static(index).Name : Text(ref block);
                fields.Add((name, Text(ref block)));
            }
        }

        return fields;
    }

    private static (string Name, string Value) Static(int index) =>
        Known.TryGetValue(index, out var field) ? field : (index.ToString(CultureInfo.InvariantCulture), "");

    private static int Integer(ref ReadOnlySpan<byte> block, int bits)
    {
        var most = (1 << bits) - 1;
        var value = block[0] & most;
        block = block[1..];
        if (value < most)
            return value;
        for (var shift = 0; ; shift += 7)
        {
            var next = block[0];
            block = block[1..];
            value += (next & 0x7f) << shift;
            if ((next & 0x80) == 0)
                return value;
        }
    }

    private static string Text(ref ReadOnlySpan<byte> block)
    {
        var length = Integer(ref block, 7);
        var text = Encoding.Latin1.GetString(block[..length]);
        block = block[length..];
        return text;
    }
}
