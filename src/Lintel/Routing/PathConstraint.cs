using System.Globalization;
using System.Text.RegularExpressions;

namespace Lintel.Routing;

/// <summary>
/// A constraint of a route parameter, such as <c>int</c> in <c>{id:int}</c>, with the names and semantics of ASP.NET Core.
/// </summary>
/// <param name="Text">The text as written; constraints with the same text are equal.</param>
/// <param name="Accepts">Whether a decoded value satisfies the constraint.</param>
internal sealed record PathConstraint(string Text, PathConstraint.Check Accepts)
{
    public delegate bool Check(ReadOnlySpan<char> value);

    private static readonly string[] Names =
    [
        "int",
        "long",
        "bool",
        "guid",
        "decimal",
        "double",
        "float",
        "datetime",
        "alpha",
        "required",
        "file",
        "nonfile",
        "minlength",
        "maxlength",
        "length",
        "min",
        "max",
        "range",
        "regex",
    ];

    /// <summary>Compiles a constraint; on failure returns the problem and a hint.</summary>
    public static PathConstraint? Create(string text, out string? problem, out string? hint)
    {
        hint = null;
        var open = text.IndexOf('(');
        var name = (open < 0 ? text : text[..open]).ToLowerInvariant();
        var argument = open < 0 || !text.EndsWith(')') ? null : text[(open + 1)..^1];
        if (name == "regex")
        {
            problem = "the constraint `regex` has no pattern";
            hint = "write `regex(^[a-z]+$)`";
            return string.IsNullOrEmpty(argument) ? null : CreateRegex(text, argument, out problem, out hint);
        }

        if (!Names.Contains(name))
        {
            problem = $"`{name}` is not a constraint";
            hint = Config.Grammars.Suggestion.For(name, Names);
            return null;
        }

        var check = argument is null ? Plain(name) : WithNumbers(name, argument);
        problem = check is null ? $"the constraint `{text}` {(argument is null ? "has no number" : "has an invalid argument")}" : null;
        return check is null ? null : new PathConstraint(text, check);
    }

    private static PathConstraint? CreateRegex(string text, string pattern, out string? problem, out string? hint)
    {
        hint = null;
        if (!LinearRegex.TryCreate(pattern, out var regex, out problem))
        {
            problem = $"the regular expression of `{text}` does not compile: {problem}";
            return null;
        }

        return new PathConstraint(text, value => Matches(regex, value));
    }

    private static bool Matches(Regex regex, ReadOnlySpan<char> value) => regex.IsMatch(value);

    private static Check? Plain(string name) =>
        name switch
        {
            "int" => static v => int.TryParse(v, NumberStyles.Integer, CultureInfo.InvariantCulture, out _),
            "long" => static v => long.TryParse(v, NumberStyles.Integer, CultureInfo.InvariantCulture, out _),
            "bool" => static v => bool.TryParse(v, out _),
            "guid" => static v => Guid.TryParse(v, out _),
            "decimal" => static v => decimal.TryParse(v, NumberStyles.Number, CultureInfo.InvariantCulture, out _),
            "double" or "float" => static v =>
                double.TryParse(v, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out _),
            "datetime" => static v => DateTime.TryParse(v, CultureInfo.InvariantCulture, DateTimeStyles.None, out _),
            "alpha" => static v => v.Length > 0 && !v.ContainsAnyExcept(Letters),
            "required" => static v => v.Length > 0,
            "file" => static v => IsFile(v),
            "nonfile" => static v => !IsFile(v),
            _ => null,
        };

    private static readonly System.Buffers.SearchValues<char> Letters = System.Buffers.SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    private static bool IsFile(ReadOnlySpan<char> value)
    {
        var last = value[(value.LastIndexOf('/') + 1)..];
        var dot = last.IndexOf('.');
        return dot >= 0 && last[(dot + 1)..].ContainsAnyExcept('.');
    }

    private static Check? WithNumbers(string name, string argument)
    {
        var parts = argument.Split(',', StringSplitOptions.TrimEntries);
        if (parts.Length > 2 || !long.TryParse(parts[0], CultureInfo.InvariantCulture, out var a))
            return null;
        long? b =
            parts.Length < 2 ? null
            : long.TryParse(parts[1], CultureInfo.InvariantCulture, out var second) ? second
            : long.MinValue;
        return (name, b) switch
        {
            ("minlength", null) => v => v.Length >= a,
            ("maxlength", null) => v => v.Length <= a,
            ("length", null) => v => v.Length == a,
            ("length", { } most) when most >= a => v => v.Length >= a && v.Length <= most,
            ("min", null) => v => long.TryParse(v, CultureInfo.InvariantCulture, out var n) && n >= a,
            ("max", null) => v => long.TryParse(v, CultureInfo.InvariantCulture, out var n) && n <= a,
            ("range", { } most) when most >= a => v => long.TryParse(v, CultureInfo.InvariantCulture, out var n) && n >= a && n <= most,
            _ => null,
        };
    }
}
