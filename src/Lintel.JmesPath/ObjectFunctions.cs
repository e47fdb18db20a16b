namespace Lintel.JmesPath;

/// <summary>Functions about objects. They keep the order of members.</summary>
internal static class ObjectFunctions
{
    public static bool Keys(Arguments arguments, out Value result)
    {
        result = default;
        var collected = new Collected(Math.Min(arguments[0].Count, arguments.Evaluation.Remaining));
        var properties = new Properties(arguments[0]);
        while (properties.MoveNext())
        {
            var text = properties.Text;
            if (!arguments.Evaluation.TrySpendBytes(text.Length))
                return false;
            collected.Add(Value.String(text.ToArray()));
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
        var properties = new Properties(arguments[0]);
        while (properties.MoveNext())
            collected.Add(properties.Value);
        result = collected.ToValue();
        return true;
    }

    /// <summary>A repeated member keeps its position and gets the later value.</summary>
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
            var properties = new Properties(arguments[i]);
            while (properties.MoveNext())
            {
                var name = properties.Name;
                if (!arguments.Evaluation.TrySpendBytes(name.Json.Length))
                    return false;
                if (places.TryAdd(name, names.Count))
                {
                    names.Add(name);
                    values.Add(properties.Value);
                }
                else
                    values[places[name]] = properties.Value;
            }
        }

        result = Value.Object(new Names([.. names]), [.. values]);
        return true;
    }
}
