using System.Text;
using System.Text.Json;
using Lintel.Config.Grammars;

namespace Lintel.Config.Reading;

/// <summary>
/// Reads JSON (with comments and trailing commas, as editors allow for settings) into the same nodes as <see cref="YamlDocument"/>.
/// </summary>
internal static class JsonDocumentReader
{
    public static ConfigNode? Read(string source, string text, ConfigReport report)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var lines = new LineIndex(source, utf8);
        var reader = new Utf8JsonReader(
            utf8,
            new JsonReaderOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
                MaxDepth = 64,
            }
        );
        try
        {
            if (!reader.Read())
                return null;
            var root = ReadNode(ref reader, lines, report, KeyPath.Root);
            if (reader.Read())
                report.Add(
                    new ConfigProblem("syntax", lines.At(reader.TokenStartIndex), "", "unexpected content after the end of the document")
                );
            return root;
        }
        catch (JsonException e)
        {
            var position = new SourcePosition(source, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
            var cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            report.Add(new ConfigProblem("syntax", position, "", "invalid JSON: " + (cut < 0 ? e.Message : e.Message[..cut]).TrimEnd('.')));
            return null;
        }
    }

    private static ConfigNode ReadNode(ref Utf8JsonReader reader, LineIndex lines, ConfigReport report, KeyPath path)
    {
        var position = lines.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var map = new MapNode(position);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var keyPosition = lines.At(reader.TokenStartIndex);
                    var key = reader.GetString()!;
                    reader.Read();
                    var value = ReadNode(ref reader, lines, report, path[key]);
                    if (!map.TryAdd(new MapEntry(key, keyPosition, value)))
                        report.Add(
                            new ConfigProblem(
                                "duplicate-key",
                                keyPosition,
                                path[key].ToString(),
                                $"duplicate key `{key}`",
                                $"first defined at {map.Find(key)!.KeyPosition}"
                            )
                        );
                }

                return map;
            case JsonTokenType.StartArray:
                var list = new ListNode(position);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    list.Items.Add(ReadNode(ref reader, lines, report, path[list.Items.Count]));
                return list;
            case JsonTokenType.String:
                return new ScalarNode(position, reader.GetString()!, isQuoted: true);
            default:
                return new ScalarNode(position, Encoding.UTF8.GetString(reader.ValueSpan), isQuoted: false);
        }
    }

    private sealed class LineIndex
    {
        private readonly string _source;
        private readonly List<int> _starts = [0];

        public LineIndex(string source, byte[] utf8)
        {
            _source = source;
            for (var i = 0; i < utf8.Length; i++)
            {
                if (utf8[i] == '\n')
                    _starts.Add(i + 1);
            }
        }

        public SourcePosition At(long offset)
        {
            var found = _starts.BinarySearch((int)offset);
            var line = found >= 0 ? found : ~found - 1;
            return new SourcePosition(_source, line + 1, (int)offset - _starts[line] + 1);
        }
    }
}
