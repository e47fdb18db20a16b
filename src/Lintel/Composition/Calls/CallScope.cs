using Lintel.Composition.Plan;
using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>The values of one composition as its expressions see them, by the plan's names.</summary>
/// <remarks>Thread rule: a value is set once, before anything that reads it begins.</remarks>
internal readonly struct CallScope(CallPlan plan)
{
    private readonly Value[] _values = new Value[plan.ScopeSize];

    public void Set(int slot, in Value value) => _values[slot] = value;

    /// <summary>Returns the scope of a call's expressions.</summary>
    public Value Of() => Value.Object(plan.Scope, _values);

    /// <summary>Returns the scope of the request for one item, or batch.</summary>
    public Value Of(in Value item, in Value items) => Of((Value[])_values.Clone(), item, items);

    /// <summary>Returns the scope of a request that undoes another one: of its call only the answer to that request is visible.</summary>
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
