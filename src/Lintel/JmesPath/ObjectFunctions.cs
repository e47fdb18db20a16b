namespace Lintel.JmesPath;

/// <summary>Functions about objects. They keep the order of members.</summary>
internal static class ObjectFunctions
{
    public static bool Keys(Arguments arguments, out Value result)
    {
        result = default;
        var collected = new Collected(Math.Min(arguments[0].Count, arguments.Evaluation.Remaining));
        foreach (var property in new Properties(arguments[0]))
        {
            if (!arguments.Evaluation.TrySpendBytes(property.Text.Length))
                return false;
            collected.Add(Value.String(property.Text.ToArray()));
        }

        result = collected.ToValue();
        return true;
    }

    public static bool Values(Arguments arguments, out Value result)
    {
        result = default;
        if (!arguments.Evaluation.TrySpend(arguments[0].Count))
            return false;
        var collected = new Collected(arguments[0].Count);
        foreach (var property in new Properties(arguments[0]))
            collected.Add(property.Value);
        result = collected.ToValue();
        return true;
    }

    /// <summary>A member that comes again keeps its place and takes the later value.</summary>
    public static bool Merge(Arguments arguments, out Value result)
    {
        result = default;
        if (arguments.Count == 1)
        {
            result = arguments[0];
            return true;
        }

        var places = Names.NewTable<int>(arguments[0].Count + arguments[1].Count);
        var names = new List<Name>();
        var values = new List<Value>();
        for (var i = 0; i < arguments.Count; i++)
        {
            foreach (var property in new Properties(arguments[i]))
            {
                var name = property.Name;
                if (!arguments.Evaluation.TrySpendBytes(name.Json.Length))
                    return false;
                if (places.TryAdd(name, names.Count))
                {
                    names.Add(name);
                    values.Add(property.Value);
                }
                else
                    values[places[name]] = property.Value;
            }
        }

        result = Value.Object(new Names([.. names]), [.. values]);
        return true;
    }
}
