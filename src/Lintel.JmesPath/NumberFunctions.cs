using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Functions that return numbers. A number whose value does not change keeps its text.</summary>
internal static class NumberFunctions
{
    /// <summary>A decimal holds 7.9 × 10^28, and each addend is below 10^28: from here on one more could be too much.</summary>
    private const decimal SafeSum = 6.0e28m;

    public static bool Abs(Arguments arguments, out Value result)
    {
        var text = arguments[0].NumberText;
        result = text[0] == '-' ? Value.Number(Number.Of(text[1..])) : arguments[0];
        return true;
    }

    public static bool Ceil(Arguments arguments, out Value result) => TryRound(arguments[0], up: true, out result);

    public static bool Floor(Arguments arguments, out Value result) => TryRound(arguments[0], up: false, out result);

    public static bool Sum(Arguments arguments, out Value result) => TrySum(arguments, divide: false, out result);

    public static bool Avg(Arguments arguments, out Value result)
    {
        result = default;
        return arguments[0].Count == 0 || TrySum(arguments, divide: true, out result);
    }

    public static bool ToNumber(Arguments arguments, out Value result)
    {
        result = default;
        ref readonly var value = ref arguments[0];
        if (value.Kind == JsonValueKind.Number)
            result = value;
        else if (value.Kind == JsonValueKind.String && Value.TextOf(value) is var text && Number.IsNumber(text))
            result = Value.Number(Number.Of(text));
        return true;
    }

    private static bool TryRound(in Value number, bool up, out Value result)
    {
        var text = number.NumberText;
        var digits = Digits.Of(text);
        if (digits.AreWhole)
            result = number;
        else if (digits.AreBelowOne)
            result = Value.Number(up == (digits.Sign > 0) ? digits.Sign : 0);
        else if (Number.TryGetDecimal(text, out var exact))
            result = Value.Number(Number.Of(up ? decimal.Ceiling(exact) : decimal.Floor(exact)));
        else
        {
            // More digits than a decimal has, and a fraction: never so large that a double were infinite.
            var near = Number.GetDouble(text);
            result = Value.Number(Number.Of(up ? Math.Ceiling(near) : Math.Floor(near))!);
        }

        return true;
    }

    private static bool TrySum(Arguments arguments, bool divide, out Value result)
    {
        result = default;
        var (exact, near, isExact) = (0m, 0d, true);
        foreach (var item in new Elements(arguments[0]))
        {
            if (item.Kind != JsonValueKind.Number)
                return arguments.Refuse("numbers", $"{Evaluation.WordFor(item.Kind)} among the elements");
            if (!arguments.Evaluation.TrySpend(1))
                return false;
            if (isExact && Math.Abs(exact) < SafeSum && Number.TryGetDecimal(item.NumberText, out var addend))
                exact += addend;
            else
            {
                near = isExact ? (double)exact : near;
                isExact = false;
                near += Number.GetDouble(item.NumberText);
            }
        }

        var count = arguments[0].Count;
        if (divide && isExact && (exact / count) is var quotient && quotient * count == exact)
            exact = quotient;
        else if (divide)
        {
            // A third has no end: it is written as the double that every other reader would make of it.
            near = (isExact ? (double)exact : near) / count;
            isExact = false;
        }

        var number = isExact ? Number.Of(exact) : Number.Of(near);
        if (number is null)
            return arguments.Evaluation.Fail($"the sum at {arguments.Call.Offset} is out of the range of numbers");
        result = Value.Number(number);
        return true;
    }
}
