namespace Lintel.JmesPath;

/// <summary>What an argument may be.</summary>
[Flags]
internal enum Types
{
    None = 0,
    Null = 1,
    Boolean = 2,
    Number = 4,
    String = 8,
    Array = 16,
    Object = 32,
    Any = 63,

    /// <summary>An expression reference <c>&amp;…</c>: known at compile time, never combined with other types.</summary>
    Expression = 64,
}

/// <summary>The evaluated arguments of a call, of the types that the function takes.</summary>
internal readonly ref struct Arguments
{
    private readonly CallNode _call;
    private readonly ReadOnlySpan<Value> _values;
    private readonly ref Evaluation _evaluation;

    public Arguments(CallNode call, ReadOnlySpan<Value> values, ref Evaluation evaluation)
    {
        _call = call;
        _values = values;
        _evaluation = ref evaluation;
    }

    public CallNode Call => _call;

    public ref Evaluation Evaluation => ref _evaluation;

    public int Count => _values.Length;

    public ref readonly Value this[int index] => ref _values[index];

    /// <summary>The expression that was given as an argument.</summary>
    public Node Expression(int index) => ((ExpressionNode)_call.Arguments[index]).Body;

    /// <summary>Sets the problem of an invalid argument.</summary>
    public bool Refuse(string takes, string got) => _call.Refuse(ref _evaluation, takes, got);
}

/// <summary>The body of a function. Returns false if there is no result; <see cref="Evaluation.Problem"/> is then set.</summary>
internal delegate bool FunctionBody(Arguments arguments, out Value result);

/// <summary>A function: its name, parameter types and body.</summary>
/// <param name="name">The name.</param>
/// <param name="body">The body.</param>
/// <param name="types">What its arguments may be.</param>
/// <param name="isOpen">Whether the last argument may come again, any number of times.</param>
internal sealed class Function(string name, FunctionBody body, Types[] types, bool isOpen = false)
{
    public string Name => name;

    public FunctionBody Body => body;

    /// <summary>The number of arguments, as text.</summary>
    public string Arity => $"{(isOpen ? "at least " : "")}{types.Length} argument{(types.Length == 1 ? "" : "s")}";

    public Types TypeAt(int index) => types[Math.Min(index, types.Length - 1)];

    public bool Takes(int count) => isOpen ? count >= types.Length : count == types.Length;
}
