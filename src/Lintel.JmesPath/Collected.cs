namespace Lintel.JmesPath;

/// <summary>An array in the making.</summary>
internal ref struct Collected
{
    private Value[] _items;
    private int _count;

    /// <param name="capacity">How many elements are expected.</param>
    public Collected(int capacity) => _items = capacity == 0 ? [] : new Value[capacity];

    public void Add(in Value item)
    {
        if (_count == _items.Length)
            Array.Resize(ref _items, Math.Max(4, 2 * _count));
        _items[_count++] = item;
    }

    public readonly Value ToValue() => Value.Array(_items, _count);
}
