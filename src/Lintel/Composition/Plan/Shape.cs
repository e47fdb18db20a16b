using System.Text.Json;
using Lintel.Composition.Merge;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Plan;

/// <summary>A compiled JSON document with expressions or code as leaves.</summary>
internal abstract class Shape
{
    private static readonly byte[] EmptyObject = "{}"u8.ToArray();
    private static readonly byte[] ObjectEnd = "}"u8.ToArray();
    private static readonly byte[] ListBegin = "["u8.ToArray();
    private static readonly byte[] ListEnd = "]"u8.ToArray();
    private static readonly byte[] Comma = ","u8.ToArray();

    private Shape() { }

    /// <summary>The names of the scope that it reads; <see langword="null"/> if it reads the scope as a whole.</summary>
    public abstract IEnumerable<string>? Roots { get; }

    /// <summary>Builds the document.</summary>
    /// <param name="input">The values it is built from.</param>
    /// <param name="output">Receives the pieces.</param>
    /// <returns>The error if there is none; the pieces added so far are then of no use.</returns>
    public abstract GatewayError? AddTo(JsonPieces output, in ShapeInput input);

    /// <summary>The value of an expression.</summary>
    internal sealed class Leaf(Expression expression, string place) : Shape
    {
        public override IEnumerable<string>? Roots => expression.Roots?.Select(r => r.Name);

        public override GatewayError? AddTo(JsonPieces output, in ShapeInput input)
        {
            if (!expression.TryEvaluate(input.Scope, out var value, out var problem))
                return new GatewayError(
                    expression.Roots is [{ Name: "request" }] ? GatewayErrorKind.BadPlaceholder : GatewayErrorKind.ExpressionFailed,
                    $"`{place}`: {problem}"
                );
            output.Add(value);
            return null;
        }
    }

    /// <summary>The result of code that processes the calls' answers.</summary>
    internal sealed class Code(ShapeCode code) : Shape
    {
        public override IEnumerable<string>? Roots => null;

        public override GatewayError? AddTo(JsonPieces output, in ShapeInput input)
        {
            var parts = input.Parts!;
            try
            {
                var text = parts.NewText();
                using var json = new Utf8JsonWriter(text, code.Options);
                code.Write(new ComposedParts(parts.Text), json);
                json.Flush();
                output.Add(JsonPart.OfText(text.Memory));
                return null;
            }
            catch (Exception e)
            {
                // Any exception: the code belongs to the embedder, and its message may contain what clients must not see.
                return parts.Problem ?? new GatewayError(GatewayErrorKind.ExpressionFailed, Cause: e);
            }
        }
    }

    /// <summary>An object: the text before each value is rendered in advance.</summary>
    internal sealed class Members((byte[] Lead, Shape Value)[] members) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(members.Select(m => m.Value));

        public override GatewayError? AddTo(JsonPieces output, in ShapeInput input)
        {
            foreach (var (lead, value) in members)
            {
                output.Add(lead);
                if (value.AddTo(output, input) is { } error)
                    return error;
            }

            output.Add(members.Length == 0 ? EmptyObject : ObjectEnd);
            return null;
        }
    }

    /// <summary>A list.</summary>
    internal sealed class Items(Shape[] items) : Shape
    {
        public override IEnumerable<string>? Roots => RootsOf(items);

        public override GatewayError? AddTo(JsonPieces output, in ShapeInput input)
        {
            output.Add(ListBegin);
            for (var i = 0; i < items.Length; i++)
            {
                if (i > 0)
                    output.Add(Comma);
                if (items[i].AddTo(output, input) is { } error)
                    return error;
            }

            output.Add(ListEnd);
            return null;
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

/// <summary>The values that a document is built from.</summary>
/// <param name="Scope">The calls' values by name, for expressions.</param>
/// <param name="Parts">The calls' answers as text, for code; <see langword="null"/> while calls are still running, when no code
/// runs.</param>
internal readonly record struct ShapeInput(Value Scope, PartTexts? Parts = null);
