namespace Lintel.JmesPath;

/// <summary>A field of the input that an expression reads.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Offset">Where the expression names it first.</param>
internal readonly record struct Root(string Name, int Offset);

/// <summary>Gathers what of its input an expression reads.</summary>
internal sealed class RootCollector
{
    private readonly List<Root> _roots = [];

    public IReadOnlyList<Root> Roots => _roots;

    /// <summary>The position at which the expression first refers to the whole input, or null.</summary>
    public int? Whole { get; private set; }

    public void Add(string name, int offset)
    {
        if (!_roots.Exists(r => r.Name == name))
            _roots.Add(new Root(name, offset));
    }

    public void AddWhole(int offset) => Whole ??= offset;
}
