using System.Buffers;
using System.Text.Json;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition;

/// <summary>A JSON document whose leaves are expressions or code, compiled.</summary>
internal abstract class Shape
{
    private Shape()
    {
    }

    /// <summary>The names of the scope that it looks at; <see langword="null"/> where it looks at the scope as a whole.</summary>
    public abstract IEnumerable<string>? Roots { get; }

    /// <summary>Writes the document.</summary>
    /// <param name="input">What it is made of.</param>
    /// <param name="output">Where to.</param>
    /// <param name="maxBytes">The longest text of one leaf.</param>
    /// <returns>Why it cannot be written; what is written so far is of no use then.</returns>
    public abstract GatewayError? Write(in ShapeInput input, IBufferWriter<byte> output, long maxBytes);

    /// <summary>What an expression gives.</summary>
    internal sealed class Leaf(Expression expression) : Shape
    {
        public override IEnumerable<string>? Roots => expression.Roots?.Select(r => r.Name);

        public override GatewayError? Write(in ShapeInput input, IBufferWriter<byte> output, long maxBytes)
        {
            if (!expression.TryEvaluate(input.Scope, out var value, out var problem))
                return new GatewayError(GatewayErrorKind.ExpressionFailed, problem);
            return value.WriteTo(output, maxBytes) ? null : TooLong(maxBytes);
        }
    }

    /// <summary>What code makes of the calls' answers.</summary>
    internal sealed class Code(ShapeCode code) : Shape
    {
        public override IEnumerable<string>? Roots => null;

        public override GatewayError? Write(in ShapeInput input, IBufferWriter<byte> output, long maxBytes)
        {
            try
            {
                using var json = new Utf8JsonWriter(output, code.Options);
                code.Write(new ComposedParts(input.Parts!.Text), json);
                json.Flush();
                return json.BytesCommitted <= maxBytes ? null : TooLong(maxBytes);
            }
            catch (Exception e)
            {
                // Whatever it is: the code is not ours, and its text may tell what no client should know.
                return new GatewayError(GatewayErrorKind.ExpressionFailed, Cause: e);
            }
        }
    }

    /// <summary>An object: what stands before each value is written beforehand.</summary>
    internal sealed class Members((byte[] Lead, Shape Value)[] members) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(members.Select(m => m.Value));

        public override GatewayError? Write(in ShapeInput input, IBufferWriter<byte> output, long maxBytes)
        {
            foreach (var (lead, value) in members)
            {
                output.Write(lead);
                if (value.Write(input, output, maxBytes) is { } error)
                    return error;
            }

            output.Write(members.Length == 0 ? "{}"u8 : "}"u8);
            return null;
        }
    }

    /// <summary>A list.</summary>
    internal sealed class Items(Shape[] items) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(items);

        public override GatewayError? Write(in ShapeInput input, IBufferWriter<byte> output, long maxBytes)
        {
            output.Write("["u8);
            for (var i = 0; i < items.Length; i++)
            {
                if (i > 0)
                    output.Write(","u8);
                if (items[i].Write(input, output, maxBytes) is { } error)
                    return error;
            }

            output.Write("]"u8);
            return null;
        }
    }

    private static GatewayError TooLong(long maxBytes) => new(GatewayErrorKind.ExpressionFailed, $"what it gives is longer than {maxBytes} bytes");

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

/// <summary>What a document is made of.</summary>
/// <param name="Scope">The calls' values by name, for expressions.</param>
/// <param name="Parts">The calls' answers as text, for code; <see langword="null"/> while calls still run, where no code is.</param>
internal readonly record struct ShapeInput(Value Scope, PartTexts? Parts = null);
