using System.Text;
using CsCheck;

namespace Lintel.Tests.JmesPath;

/// <summary>Random documents and expressions with few names, so that they match each other.</summary>
internal sealed class RandomJmesPath(int seed)
{
    private static readonly string[] Names = ["a", "b", "c", "d"];
    private static readonly string[] Strings =
    [
        "\"\"",
        "\"a\"",
        "\"b\"",
        "\"10\"",
        "\"\\u00e9x\"",
        "\"\\ud83d\\ude00\"",
        "\"é\"",
        "\"1e3\"",
        "\"q\\\"\\\\\\/\"",
    ];
    private static readonly string[] Numbers = ["0", "1", "-1", "2", "3", "10", "1.5", "-2.25", "0.1"];

    /// <summary>Elements of hostile documents only.</summary>
    private static readonly string[] OddStrings = ["\"\\ud800\"", "\"\\udc00x\"", "\"\\ud800\\u0041\"", "\"\\u0000\"", "\"\u007f\u2028\""];
    private static readonly string[] OddNumbers =
    [
        "-0",
        "1.0",
        "1E400",
        "-1e-400",
        "9007199254740993",
        "123456789012345678901234567890.5",
        "79228162514264337593543950335",
        "1e28",
        "1e999999999999999999999",
    ];
    private static readonly string[] Unary =
    [
        "abs",
        "avg",
        "ceil",
        "floor",
        "keys",
        "length",
        "max",
        "min",
        "not_null",
        "reverse",
        "sort",
        "sum",
        "to_array",
        "to_number",
        "to_string",
        "type",
        "values",
        "merge",
    ];
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly Random _random = new(seed);

    public static Gen<RandomJmesPath> Any { get; } = Gen.Int.Select(seed => new RandomJmesPath(seed));

    /// <summary>A document. An odd one contains what JSON allows but is rarely written.</summary>
    public string Document(bool odd, int depth = 4) =>
        _random.Next(depth <= 0 ? 5 : 9) switch
        {
            0 => Pick("null", "true", "false"),
            1 or 2 => odd && _random.Next(3) == 0 ? Pick(OddNumbers) : Pick(Numbers),
            3 or 4 => odd && _random.Next(3) == 0 ? Pick(OddStrings) : Pick(Strings),
            5 or 6 => "["
                + string.Join(odd ? " ,\n" : ",", Enumerable.Range(0, _random.Next(5)).Select(_ => Document(odd, depth - 1)))
                + "]",
            _ => "{" + string.Join(",", MemberNames(odd).Select(n => $"{n}:{(odd ? "\t" : "")}{Document(odd, depth - 1)}")) + "}",
        };

    /// <summary>An expression that has the right form; its functions may be given what they do not take.</summary>
    public string Expression(int depth = 4)
    {
        if (depth <= 0)
            return Pick(Pick(Names), Pick(Names), "@", $"`{Pick(Numbers)}`", "'a'", "'é'", "`\"b\"`", "`[1, \"a\"]`", "`null`");
        var next = depth - 1;
        return _random.Next(17) switch
        {
            0 or 1 => Pick(Names),
            2 or 3 => $"{Path(next)}.{Step(next)}",
            4 => $"{Path(next)}{Pick("[*]", "[]", ".*", "[0]", "[-1]", "[1:]", "[::-1]", "[:2]", "[?@]")}",
            5 => $"{Path(next)}[?{Expression(next)}]",
            6 => $"{Path(next)}{Pick("[*]", "[]", ".*")}.{Step(next)}",
            7 => $"{Expression(next)} | {Expression(next)}",
            8 => $"({Expression(next)} || {Expression(next)})",
            9 => $"({Expression(next)} && {Expression(next)})",
            10 => $"!({Expression(next)})",
            11 => $"({Expression(next)}) {Pick(Comparisons)} ({Expression(next)})",
            12 => $"[{Expression(next)}, {Expression(next)}]",
            13 => $"{{a: {Expression(next)}, b: {Expression(next)}}}",
            14 => $"{Pick(Unary)}({Expression(next)})",
            15 => $"{Pick("contains", "starts_with", "ends_with", "join", "not_null", "merge")}({Expression(next)}, {Expression(next)})",
            _ => _random.Next(2) == 0
                ? $"map(&{Expression(next)}, {Expression(next)})"
                : $"{Pick("sort_by", "max_by", "min_by")}({Expression(next)}, &{Expression(next)})",
        };
    }

    /// <summary>Words of the language in no order.</summary>
    public string Words()
    {
        var text = new StringBuilder();
        for (var count = _random.Next(12); count > 0; count--)
            text.Append(
                Pick(
                    "a",
                    "b ",
                    "[",
                    "]",
                    "[]",
                    "[?",
                    "{",
                    "}",
                    "(",
                    ")",
                    ".",
                    "*",
                    "@",
                    "&",
                    "&&",
                    "||",
                    "|",
                    "!",
                    "==",
                    "<",
                    ":",
                    ",",
                    "1",
                    "-1",
                    "'x'",
                    "`1`",
                    "`{`",
                    "\"a\"",
                    "\"",
                    "'",
                    "`",
                    "\\",
                    "$",
                    "é",
                    "\ud800",
                    "sort_by",
                    "length",
                    " "
                )
            );
        return text.ToString();
    }

    private string Path(int depth) =>
        _random.Next(3) == 0 ? $"({Expression(depth)})" : Pick(Pick(Names), $"{Pick(Names)}.{Pick(Names)}", $"{Pick(Names)}[*]", "@");

    private string Step(int depth) =>
        _random.Next(4) switch
        {
            0 => $"[{Expression(depth)}]",
            1 => $"{{a: {Expression(depth)}}}",
            2 => $"{Pick("type", "to_string", "length")}(@)",
            _ => Pick(Names),
        };

    private IEnumerable<string> MemberNames(bool odd)
    {
        if (odd && _random.Next(3) == 0)
            return Enumerable.Range(0, _random.Next(4)).Select(_ => Pick("\"a\"", "\"\\u0061\"", "\"\\ud800\"", "\"b\""));
        return Names.Where(_ => _random.Next(2) == 0).Select(n => $"\"{n}\"");
    }

    private string Pick(params string[] choices) => choices[_random.Next(choices.Length)];
}
