using Lintel.Composition.Plan;
using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>The values of one composition as its expressions see them, by the plan's names.</summary>
/// <remarks>Thread rule: a value is set once, before anything begins that looks at it.</remarks>
internal readonly struct CallScope(CallPlan plan)
{
    private readonly Value[] _values = new Value[plan.ScopeSize];

    public void Set(int slot, in Value value) => _values[slot] = value;

    /// <summary>What a call's expressions see.</summary>
    public Value Of() => Value.Object(plan.Scope, _values);

    /// <summary>What the request of one item, or batch, sees.</summary>
    public Value Of(in Value item, in Value items) => Of((Value[])_values.Clone(), item, items);

    /// <summary>What the request that undoes another one sees: of its call the answer to that request alone.</summary>
    public Value Of(PerformedWrite write)
    {
        var values = (Value[])_values.Clone();
        values[write.Result.Call.Index] = write.Answer;
        return Of(values, write.Item, write.Items);
    }

    private Value Of(Value[] values, in Value item, in Value items)
    {
        values[plan.ItemSlot] = item;
        values[plan.ItemSlot + 1] = items;
        return Value.Object(plan.Scope, values);
    }
}
