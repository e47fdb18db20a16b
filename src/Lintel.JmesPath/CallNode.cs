using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary><c>function(a, b)</c></summary>
internal sealed class CallNode(int offset, Function function, Node[] arguments) : Node(offset, arguments.Length == 0 ? 1 : Above(arguments))
{
    private const int UsualArguments = 4;

    public Node[] Arguments => arguments;

    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        if (arguments.Length > UsualArguments)
            return TryCall(current, new Value[arguments.Length], ref evaluation, out result);
        var few = default(InlineValues);
        return TryCall(current, few, ref evaluation, out result);
    }

    public override void CollectRoots(RootCollector roots, bool isInput)
    {
        foreach (var argument in arguments)
            argument.CollectRoots(roots, isInput);
    }

    /// <summary>Sets the problem of an invalid argument.</summary>
    public bool Refuse(ref Evaluation evaluation, string takes, string got) =>
        evaluation.Fail($"`{function.Name}` at {Offset} takes {takes}, got {got}");

    private bool TryCall(in Value current, scoped Span<Value> values, ref Evaluation evaluation, out Value result)
    {
        result = default;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] is ExpressionNode)
                continue;
            if (!arguments[i].TryEvaluate(current, ref evaluation, out values[i]))
                return false;
            var kind = values[i].Kind;
            if ((function.TypeAt(i) & TypeOf(kind)) == 0)
                return Refuse(
                    ref evaluation,
                    Words(function.TypeAt(i)),
                    $"{Evaluation.WordFor(kind)}{(arguments.Length == 1 ? "" : $" as argument {i + 1}")}"
                );
        }

        return evaluation.TrySpend(1) && function.Body(new Arguments(this, values[..arguments.Length], ref evaluation), out result);
    }

    private static Types TypeOf(JsonValueKind kind) =>
        kind switch
        {
            JsonValueKind.True or JsonValueKind.False => Types.Boolean,
            JsonValueKind.Number => Types.Number,
            JsonValueKind.String => Types.String,
            JsonValueKind.Array => Types.Array,
            JsonValueKind.Object => Types.Object,
            _ => Types.Null,
        };

    private static string Words(Types types) =>
        string.Join(
            " or ",
            Enum.GetValues<Types>()
                .Where(t => t is not (Types.None or Types.Any) && types.HasFlag(t))
                .Select(t => t.ToString().ToLowerInvariant())
        );

    [InlineArray(UsualArguments)]
    private struct InlineValues
    {
        private Value _first;
    }
}

/// <summary><c>&amp;body</c>: an expression for a function, which evaluates it for each element.</summary>
internal sealed class ExpressionNode(int offset, Node body) : Node(offset, Above(body))
{
    public Node Body => body;

    /// <summary>Never evaluated: the parser allows it only as an argument of a function that takes it.</summary>
    public override bool TryEvaluate(in Value current, ref Evaluation evaluation, out Value result)
    {
        result = default;
        return evaluation.Fail("an expression reference is not a value");
    }

    public override void CollectRoots(RootCollector roots, bool isInput) => body.CollectRoots(roots, isInput: false);
}
