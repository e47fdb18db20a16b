using System.Buffers;
using Lintel.JmesPath;

namespace Lintel.Composition;

/// <summary>A JSON document whose leaves are expressions, compiled.</summary>
internal abstract class Shape
{
    private Shape()
    {
    }

    /// <summary>The names of the scope that it looks at; <see langword="null"/> where it looks at the scope as a whole.</summary>
    public abstract IEnumerable<string>? Roots { get; }

    /// <summary>Writes the document.</summary>
    /// <param name="scope">The calls' values by name.</param>
    /// <param name="output">Where to.</param>
    /// <param name="maxBytes">The longest text of one expression.</param>
    /// <param name="problem">Why it cannot be written.</param>
    /// <returns>False where an expression cannot be evaluated; what is written so far is of no use then.</returns>
    public abstract bool TryWrite(in Value scope, IBufferWriter<byte> output, long maxBytes, out string? problem);

    /// <summary>What an expression gives.</summary>
    internal sealed class Leaf(Expression expression) : Shape
    {
        public override IEnumerable<string>? Roots => expression.Roots?.Select(r => r.Name);

        public override bool TryWrite(in Value scope, IBufferWriter<byte> output, long maxBytes, out string? problem)
        {
            if (!expression.TryEvaluate(scope, out var value, out problem))
                return false;
            if (value.WriteTo(output, maxBytes))
                return true;
            problem = $"what it gives is longer than {maxBytes} bytes";
            return false;
        }
    }

    /// <summary>An object: what stands before each value is written beforehand.</summary>
    internal sealed class Members((byte[] Lead, Shape Value)[] members) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(members.Select(m => m.Value));

        public override bool TryWrite(in Value scope, IBufferWriter<byte> output, long maxBytes, out string? problem)
        {
            problem = null;
            foreach (var (lead, value) in members)
            {
                output.Write(lead);
                if (!value.TryWrite(scope, output, maxBytes, out problem))
                    return false;
            }

            output.Write(members.Length == 0 ? "{}"u8 : "}"u8);
            return true;
        }
    }

    /// <summary>A list.</summary>
    internal sealed class Items(Shape[] items) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(items);

        public override bool TryWrite(in Value scope, IBufferWriter<byte> output, long maxBytes, out string? problem)
        {
            problem = null;
            output.Write("["u8);
            for (var i = 0; i < items.Length; i++)
            {
                if (i > 0)
                    output.Write(","u8);
                if (!items[i].TryWrite(scope, output, maxBytes, out problem))
                    return false;
            }

            output.Write("]"u8);
            return true;
        }
    }

    private static HashSet<string>? RootsOf(IEnumerable<Shape> shapes)
    {
        var all = new HashSet<string>(StringComparer.Ordinal);
        foreach (var shape in shapes)
        {
            if (shape.Roots is not { } roots)
                return null;
            all.UnionWith(roots);
        }

        return all;
    }
}
