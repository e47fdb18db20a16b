using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Xml;
using Lintel.JmesPath;

namespace Lintel.Composition.Answers;

/// <summary>
/// Converts XML to JSON: elements become properties, repeated elements lists, attributes properties with an <c>@</c> prefix, and text
/// beside either <c>#text</c>. One pass reads, one pass writes; the memory is proportional to the text.
/// </summary>
internal sealed class XmlAnswer
{
    /// <summary>
    /// The maximum number of elements, attributes and texts together: as many as an expression may visit. Each takes 24 bytes.
    /// </summary>
    public const int MaxNodes = 1_000_000;

    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        XmlResolver = null,
        IgnoreWhitespace = true,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
    };

    private readonly List<Node> _nodes = [new Node()]; // the document, and "none"
    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly List<byte[]> _names = [];

    private XmlAnswer() { }

    /// <summary>Converts a document.</summary>
    /// <param name="text">The XML.</param>
    /// <param name="charset">The encoding; <see langword="null"/> if the XML declaration specifies it.</param>
    /// <param name="output">Receives the JSON.</param>
    /// <exception cref="XmlException">The document is not well-formed, or exceeds the limits of data.</exception>
    public static void Convert(ReadOnlyMemory<byte> text, Encoding? charset, IBufferWriter<byte> output)
    {
        MemoryMarshal.TryGetArray(text, out var array);
        var stream = new MemoryStream(array.Array!, array.Offset, array.Count, writable: false);
        using var reader = charset is null
            ? XmlReader.Create(stream, Settings)
            : XmlReader.Create(new StreamReader(stream, charset), Settings);
        var answer = new XmlAnswer();
        answer.Read(reader);
        var json = new JsonText(output, long.MaxValue);
        answer.WriteMembers(0, new Groups(answer._names.Count), ref json);
        json.Flush();
    }

    private void Read(XmlReader reader)
    {
        var open = new Stack<int>();
        open.Push(0);
        while (reader.Read())
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Element:
                    if (open.Count > AnswerReader.MaxDepth)
                        throw new XmlException($"elements are nested more than {AnswerReader.MaxDepth} deep");
                    var element = Add(open.Peek(), reader.Name);
                    CollectionsMarshal.AsSpan(_nodes)[element].IsEmpty = reader.IsEmptyElement;
                    if (!reader.IsEmptyElement)
                        open.Push(element);
                    while (reader.MoveToNextAttribute())
                        SetText(Add(element, "@" + reader.Name), reader.Value);
                    break;
                case XmlNodeType.EndElement:
                    open.Pop();
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.SignificantWhitespace:
                    AddText(open.Peek(), reader.Value);
                    break;
            }
        }
    }

    private int Add(int parent, string name)
    {
        var index = _nodes.Count;
        if (index > MaxNodes)
            throw new XmlException($"there are more than {MaxNodes} elements, attributes and text nodes");
        if (!_ids.TryGetValue(name, out var id))
        {
            _ids.Add(name, id = _names.Count);
            _names.Add(Encoding.UTF8.GetBytes($"\"{name}\":")); // an XML name needs no escaping
        }

        _nodes.Add(new Node { Name = id });
        var nodes = CollectionsMarshal.AsSpan(_nodes);
        if (nodes[parent].Last == 0)
            nodes[parent].First = index;
        else
            nodes[nodes[parent].Last].Next = index;
        nodes[parent].Last = index;
        return index;
    }

    private void SetText(int index, string text)
    {
        ref var node = ref CollectionsMarshal.AsSpan(_nodes)[index];
        node.IsText = true;
        node.Start = _text.WrittenCount;
        node.Length = (int)Encoding.UTF8.GetBytes(text, _text);
    }

    /// <summary>Adds a text. Adjacent text and CDATA are one text.</summary>
    private void AddText(int parent, string text)
    {
        var last = _nodes[parent].Last;
        if (last != 0 && _nodes[last].IsText && _names[_nodes[last].Name][1] == '#')
            CollectionsMarshal.AsSpan(_nodes)[last].Length += (int)Encoding.UTF8.GetBytes(text, _text);
        else
            SetText(Add(parent, "#text"), text);
    }

    private void Write(int index, Groups groups, ref JsonText json)
    {
        var node = _nodes[index];
        if (node.IsText)
            Escapes.Write(_text.WrittenSpan.Slice(node.Start, node.Length), ref json);
        else if (node.First == 0)
            json.Append(node.IsEmpty ? "null"u8 : "\"\""u8);
        else if (node.First == node.Last && _nodes[node.First].IsText && _names[_nodes[node.First].Name][1] == '#')
            Write(node.First, groups, ref json);
        else
            WriteMembers(index, groups, ref json);
    }

    private void WriteMembers(int index, Groups groups, ref JsonText json)
    {
        json.Append("{"u8);
        var first = Group(index, groups);
        for (var head = first; head != 0; head = _nodes[head].Next)
        {
            if (head != first)
                json.Append(","u8);
            json.Append(_names[_nodes[head].Name]);
            if (_nodes[head].Same == 0)
            {
                Write(head, groups, ref json);
                continue;
            }

            json.Append("["u8);
            for (var one = head; one != 0; one = _nodes[one].Same)
            {
                if (one != head)
                    json.Append(","u8);
                Write(one, groups, ref json);
            }

            json.Append("]"u8);
        }

        json.Append("}"u8);
    }

    /// <summary>
    /// Relinks a node's children: the first of each name by <see cref="Node.Next"/>, those of the same name by <see cref="Node.Same"/>.
    /// </summary>
    private int Group(int parent, Groups groups)
    {
        var nodes = CollectionsMarshal.AsSpan(_nodes);
        var first = nodes[parent].First;
        var lastHead = 0;
        for (int child = first, next; child != 0; child = next)
        {
            next = nodes[child].Next;
            var name = nodes[child].Name;
            if (groups.Parent[name] == parent + 1)
            {
                nodes[groups.Last[name]].Same = child;
            }
            else
            {
                groups.Parent[name] = parent + 1;
                if (lastHead != 0)
                    nodes[lastHead].Next = child;
                lastHead = child;
            }

            groups.Last[name] = child;
        }

        if (lastHead != 0)
            nodes[lastHead].Next = 0;
        return first;
    }

    /// <summary>
    /// For each name, the parent that was grouped last and the last of its children with that name: one table for the document, so that
    /// grouping costs no more than the children.
    /// </summary>
    private sealed class Groups(int names)
    {
        public int[] Parent { get; } = new int[names];

        public int[] Last { get; } = new int[names];
    }

    private struct Node
    {
        public int Name;
        public int First;
        public int Last;
        public int Next;
        public int Same;
        public bool IsText;
        public bool IsEmpty;

        /// <summary>The start of the text; only texts and attributes have one, and only elements have children.</summary>
        public int Start
        {
            readonly get => First;
            set => First = value;
        }

        public int Length
        {
            readonly get => Last;
            set => Last = value;
        }
    }
}
