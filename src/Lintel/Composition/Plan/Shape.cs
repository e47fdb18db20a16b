using System.Text.Json;
using Lintel.Composition.Merge;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Plan;

/// <summary>A JSON document whose leaves are expressions or code, compiled.</summary>
internal abstract class Shape
{
    private static readonly byte[] EmptyObject = "{}"u8.ToArray();
    private static readonly byte[] ObjectEnd = "}"u8.ToArray();
    private static readonly byte[] ListBegin = "["u8.ToArray();
    private static readonly byte[] ListEnd = "]"u8.ToArray();
    private static readonly byte[] Comma = ","u8.ToArray();

    private Shape() { }

    /// <summary>The names of the scope that it looks at; <see langword="null"/> where it looks at the scope as a whole.</summary>
    public abstract IEnumerable<string>? Roots { get; }

    /// <summary>Puts the document together.</summary>
    /// <param name="input">What it is made of.</param>
    /// <param name="output">Where its pieces go.</param>
    /// <returns>Why there is none; the pieces so far are of no use then.</returns>
    public abstract GatewayError? AddTo(JsonPieces output, in ShapeInput input);

    /// <summary>What an expression gives.</summary>
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

    /// <summary>What code makes of the calls' answers.</summary>
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
                // Whatever it is: the code is not ours, and its text may tell what no client should know.
                return parts.Problem ?? new GatewayError(GatewayErrorKind.ExpressionFailed, Cause: e);
            }
        }
    }

    /// <summary>An object: what stands before each value is written beforehand.</summary>
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

/// <summary>What a document is made of.</summary>
/// <param name="Scope">The calls' values by name, for expressions.</param>
/// <param name="Parts">The calls' answers as text, for code; <see langword="null"/> while calls still run, where no code is.</param>
internal readonly record struct ShapeInput(Value Scope, PartTexts? Parts = null);
