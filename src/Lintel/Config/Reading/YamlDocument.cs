using Lintel.Config.Grammars;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Lintel.Config.Reading;

/// <summary>
/// Reads YAML 1.2 into nodes that keep their line and column. Strict: one document, no duplicate keys, no tags, no merge keys, bounded
/// depth and aliases.
/// </summary>
internal static class YamlDocument
{
    /// <summary>Deeper nesting than any section of the grammar by far; bounds the reader's stack.</summary>
    private const int MaxDepth = 64;

    /// <summary>The nodes that aliases may repeat in all: bounds «billion laughs».</summary>
    private const int MaxAliasedNodes = 100_000;

    public static ConfigNode? Read(string source, string text, ConfigReport report)
    {
        var reader = new Reader(source, text, report);
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException e)
        {
            report.Add(new YamlSyntaxProblem(source, text).Explain(e));
            return null;
        }
        catch (InvalidOperationException)
        {
            // YamlDotNet 18 loses its own count where a flow map or list is left open.
            report.Add(
                new ConfigProblem(
                    "syntax",
                    reader.LastPosition,
                    "",
                    "invalid YAML: the text after this position cannot be parsed",
                    "check for an unclosed `{`, `[` or quote here or above"
                )
            );
            return null;
        }
    }

    private static SourcePosition Position(string source, Mark mark) => new(source, (int)mark.Line, (int)mark.Column);

    private sealed class Reader(string source, string text, ConfigReport report)
    {
        private readonly Parser _parser = new(new Scanner(new StringReader(text), skipComments: true));
        private readonly Dictionary<string, ConfigNode> _anchors = new(StringComparer.Ordinal);
        private int _aliasedNodes;

        /// <summary>Where the last thing that could be read begins.</summary>
        public SourcePosition LastPosition => Position(source, _parser.Current?.Start ?? Mark.Empty);

        public ConfigNode? ReadDocument()
        {
            _parser.Consume<StreamStart>();
            if (_parser.TryConsume<StreamEnd>(out _))
                return null;
            _parser.Consume<DocumentStart>();
            var root = ReadNode(0, KeyPath.Root);
            _parser.Consume<DocumentEnd>();
            if (_parser.Current is DocumentStart second)
                report.Add(
                    new ConfigProblem(
                        "syntax",
                        Position(source, second.Start),
                        "",
                        "a second document starts here",
                        "a file contains one document: remove `---`"
                    )
                );
            return root;
        }

        private ConfigNode ReadNode(int depth, KeyPath path)
        {
            var start = _parser.Current!;
            if (depth > MaxDepth)
                throw new YamlException(start.Start, start.End, $"nested deeper than {MaxDepth} levels");
            if (_parser.TryConsume<AnchorAlias>(out var alias))
                return Repeat(alias);

            var node = start as NodeEvent ?? throw new YamlException(start.Start, start.End, "a value is expected here");
            CheckTag(node, path);
            ConfigNode read = node switch
            {
                Scalar => ReadScalar(),
                SequenceStart => ReadList(depth, path),
                MappingStart => ReadMap(depth, path),
                _ => throw new YamlException(start.Start, start.End, "a value is expected here"),
            };
            if (!node.Anchor.IsEmpty)
                _anchors[node.Anchor.Value] = read;
            return read;
        }

        private ScalarNode ReadScalar()
        {
            var scalar = _parser.Consume<Scalar>();
            return new ScalarNode(Position(source, scalar.Start), scalar.Value, scalar.Style != ScalarStyle.Plain);
        }

        private ListNode ReadList(int depth, KeyPath path)
        {
            var list = new ListNode(Position(source, _parser.Consume<SequenceStart>().Start));
            while (!_parser.TryConsume<SequenceEnd>(out _))
                list.Items.Add(ReadNode(depth + 1, path[list.Items.Count]));
            return list;
        }

        private MapNode ReadMap(int depth, KeyPath path)
        {
            var map = new MapNode(Position(source, _parser.Consume<MappingStart>().Start));
            while (!_parser.TryConsume<MappingEnd>(out _))
            {
                var start = _parser.Current!;
                if (!_parser.TryConsume<Scalar>(out var key))
                    throw new YamlException(start.Start, start.End, "a key must be a single value");
                var position = Position(source, key.Start);
                var value = ReadNode(depth + 1, path[key.Value]);
                if (key.Value == "<<" && key.Style == ScalarStyle.Plain)
                    report.Add(
                        new ConfigProblem(
                            "syntax",
                            position,
                            path.ToString(),
                            "merge keys (`<<`) are not part of YAML 1.2",
                            "use a second file as an overlay, or repeat the keys"
                        )
                    );
                else if (!map.TryAdd(new MapEntry(key.Value, position, value)))
                    report.Add(
                        new ConfigProblem(
                            "duplicate-key",
                            position,
                            path[key.Value].ToString(),
                            $"duplicate key `{key.Value}`",
                            $"first defined at {map.Find(key.Value)!.KeyPosition}"
                        )
                    );
            }

            return map;
        }

        private ConfigNode Repeat(AnchorAlias alias)
        {
            if (!_anchors.TryGetValue(alias.Value.Value, out var node))
                throw new YamlException(alias.Start, alias.End, $"undefined anchor `&{alias.Value.Value}`");
            _aliasedNodes += CountNodes(node, MaxAliasedNodes);
            if (_aliasedNodes > MaxAliasedNodes)
                throw new YamlException(alias.Start, alias.End, $"aliases expand to more than {MaxAliasedNodes} values");
            return node;
        }

        private static int CountNodes(ConfigNode node, int limit)
        {
            var count = 1;
            var children = node switch
            {
                MapNode m => m.Entries.Select(e => e.Value),
                ListNode l => l.Items,
                _ => [],
            };
            foreach (var child in children)
            {
                if (count > limit)
                    break;
                count += CountNodes(child, limit - count);
            }

            return count;
        }

        private void CheckTag(NodeEvent node, KeyPath path)
        {
            if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
                report.Add(
                    new ConfigProblem(
                        "syntax",
                        Position(source, node.Start),
                        path.ToString(),
                        $"tags (`{node.Tag.Value}`) are not supported",
                        "remove the tag; quote a value to make it text"
                    )
                );
        }
    }
}
