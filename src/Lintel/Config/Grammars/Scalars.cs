using System.Globalization;
using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>The kinds of single values that the grammar is made of.</summary>
internal static class Scalars
{
    public static Grammar<string> Text { get; } = new ScalarGrammar<string>("text", null, static (string text, out string value) =>
        {
            value = text;
            return true;
        });

    /// <summary>A name of a thing in the configuration: it becomes a label of metrics and part of log lines.</summary>
    public static Grammar<string> Name { get; } =
        new ScalarGrammar<string>(
            "a name",
            "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
            static (string text, out string value) =>
            {
                value = text;
                return text.Length is > 0 and <= 128
                    && char.IsAsciiLetterOrDigit(text[0])
                    && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
            },
            "names consist of letters, digits, `.`, `_` and `-`, start with a letter or digit, and have at most 128 characters"
        );

    public static Grammar<bool> Boolean { get; } = new BooleanGrammar();

    public static Grammar<TimeSpan> Duration(TimeSpan minimum, TimeSpan maximum) => new DurationGrammar(minimum, maximum);

    /// <summary>A number of bytes with its unit.</summary>
    public static Grammar<long> Size(long minimum, long maximum) => new SizeGrammar(minimum, maximum);

    /// <summary>A share, from 0 to 100: <c>10%</c>, <c>0.5%</c>.</summary>
    public static Grammar<double> Percent { get; } =
        new ScalarGrammar<double>(
            "a percentage",
            "^[0-9]+(\\.[0-9]+)?%$",
            static (string text, out double value) => TryParsePercent(text, out value) && value <= 100,
            "write a number with its unit, from `0%` to `100%`, such as `10%` or `0.5%`"
        );

    /// <summary>A share as a number, from 0.01 to 1.</summary>
    public static Grammar<double> Ratio { get; } = new RatioGrammar();

    /// <summary>A ratio, from <paramref name="minimum"/> to <paramref name="maximum"/> percent: <c>125%</c>.</summary>
    public static Grammar<double> PercentOf(int minimum, int maximum) =>
        new ScalarGrammar<double>(
            "a percentage in its range",
            "^[0-9]+(\\.[0-9]+)?%$",
            (string text, out double value) => TryParsePercent(text, out value) && value >= minimum && value <= maximum,
            $"write a number with its unit, from `{minimum}%` to `{maximum}%`"
        );

    /// <summary>A date, or a date and time with its offset from UTC; a date is its first moment in UTC.</summary>
    public static Grammar<DateTimeOffset> Time { get; } =
        new ScalarGrammar<DateTimeOffset>(
            "a date or time",
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
            static (string text, out DateTimeOffset value) =>
                DateTimeOffset.TryParseExact(
                    text,
                    ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK"],
                    CultureInfo.InvariantCulture,
                    DateTimeStyles.AssumeUniversal,
                    out value
                ),
            "write `2027-01-31`, or `2027-01-31T18:00:00Z`"
        );

    public static Grammar<int> Integer(int minimum, int maximum) => new IntegerGrammar(minimum, maximum);

    /// <summary>One of a few words; those in <paramref name="notYet"/> are known but refused.</summary>
    public static Grammar<T> Choice<T>((string Word, T Value)[] words, params string[] notYet)
        where T : struct => new ChoiceGrammar<T>(words, notYet);

    /// <summary>A file's path, relative to the file in which it is written; becomes a full path.</summary>
    public static Grammar<string> FilePath { get; } = new FilePathGrammar();

    /// <summary>The path of a file that may be written later, relative in the same way; becomes a full path.</summary>
    public static Grammar<string> LaterFilePath { get; } = new FilePathGrammar(mayBeMissing: true);

    public static string Format(TimeSpan duration) =>
        duration switch
        {
            { Ticks: 0 } => "0s",
            _ when duration.Ticks % TimeSpan.TicksPerHour == 0 => $"{duration.Ticks / TimeSpan.TicksPerHour}h",
            _ when duration.Ticks % TimeSpan.TicksPerMinute == 0 => $"{duration.Ticks / TimeSpan.TicksPerMinute}m",
            _ when duration.Ticks % TimeSpan.TicksPerSecond == 0 => $"{duration.Ticks / TimeSpan.TicksPerSecond}s",
            _ => $"{duration.Ticks / TimeSpan.TicksPerMillisecond}ms",
        };

    private static bool TryParsePercent(string text, out double value)
    {
        value = 0;
        return text.Length > 1
            && text[^1] == '%'
            && char.IsAsciiDigit(text[0])
            && char.IsAsciiDigit(text[^2])
            && double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
    }

    public static bool TryParseDuration(string text, out TimeSpan value)
    {
        value = default;
        var digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits is <= 0 or > 9)
            return false;
        var ticks = text[digits..] switch
        {
            "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "m" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            "d" => TimeSpan.TicksPerDay,
            "y" => 365 * TimeSpan.TicksPerDay,
            _ => 0,
        };
        var amount = long.Parse(text.AsSpan(0, digits), CultureInfo.InvariantCulture);
        if (ticks == 0 || amount > TimeSpan.FromDays(3650).Ticks / ticks)
            return false;
        value = new TimeSpan(amount * ticks);
        return true;
    }
}

/// <summary>Turns text into a value.</summary>
internal delegate bool TryParse<T>(string text, out T value);

/// <summary>A single value that is parsed from its text.</summary>
internal sealed class ScalarGrammar<T>(string what, string? pattern, TryParse<T> parse, string? hint = null) : Grammar<T>
{
    /// <summary>Whether a value, even a wrong one, may be a secret, which problems do not repeat.</summary>
    public bool IsSecret { get; init; }

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T value)
    {
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            report.Add("wrong-type", node, path, $"{what} is expected, not {node.Kind}", hint);
            return Fail(out value);
        }

        if (parse(scalar.Text, out value))
            return true;
        report.Add("bad-value", node, path, $"{(IsSecret ? "the value" : $"`{scalar.Written}`")} is not {what}", hint);
        return Fail(out value);
    }

    public override JsonObject Describe(SchemaDefinitions definitions)
    {
        // YAML's unquoted numbers and booleans are text too where text is expected.
        if (pattern is null)
            return new JsonObject { ["type"] = new JsonArray("string", "number", "boolean") };
        return new JsonObject { ["type"] = "string", ["pattern"] = pattern };
    }
}

internal sealed class DurationGrammar(TimeSpan minimum, TimeSpan maximum) : Grammar<TimeSpan>
{
    private string Hint =>
        $"write a whole number with its unit, from `{Scalars.Format(minimum)}` to `{Scalars.Format(maximum)}`, such as `300ms`, "
        + $"`5s`, `1m` or `2h`";

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out TimeSpan value)
    {
        value = default;
        if (node is not ScalarNode { IsNull: false } scalar)
            report.Add("wrong-type", node, path, $"a duration is expected, not {node.Kind}", Hint);
        else if (!Scalars.TryParseDuration(scalar.Text, out value))
            report.Add("bad-value", node, path, $"`{scalar.Written}` is not a duration", Hint);
        else if (value < minimum || value > maximum)
            report.Add("out-of-range", node, path, $"`{scalar.Written}` is out of range", Hint);
        else
            return true;
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        new() { ["type"] = "string", ["pattern"] = "^[0-9]+(ms|s|m|h|d|y)$" };
}

internal sealed class BooleanGrammar : Grammar<bool>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out bool value)
    {
        value = false;
        if (node is ScalarNode { IsNull: false } scalar)
        {
            // Text that came from the environment or from IConfiguration has no quotes to tell by.
            var isTyped = !scalar.IsQuoted || scalar.Text != scalar.Written || scalar.Position.Line == 0;
            switch (scalar.Position.Line == 0 ? scalar.Text.ToLowerInvariant() : scalar.Text)
            {
                case "true" when isTyped:
                    value = true;
                    return true;
                case "false" when isTyped:
                    return true;
            }

            report.Add(
                "bad-value",
                node,
                path,
                $"{(isTyped ? "" : "the text ")}`{scalar.Written}` is neither `true` nor `false`",
                isTyped ? "YAML 1.2 has no other spelling of booleans" : "remove the quotes: a quoted value is text"
            );
            return false;
        }

        report.Add("wrong-type", node, path, $"`true` or `false` is expected, not {node.Kind}");
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => new() { ["type"] = "boolean" };
}

internal sealed class RatioGrammar : Grammar<double>
{
    private const double Minimum = 0.01;

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out double value)
    {
        value = 0;
        if (
            node is ScalarNode { IsNull: false } scalar
            && double.TryParse(scalar.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value)
            && value is >= Minimum and <= 1
        )
            return true;
        report.Add(
            "bad-value",
            node,
            path,
            $"{(node is ScalarNode { IsNull: false } written ? $"`{written.Written}`" : node.Kind)} is not a ratio",
            "write a number from 0.01 to 1, such as `0.5`"
        );
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        new()
        {
            ["type"] = "number",
            ["minimum"] = Minimum,
            ["maximum"] = 1,
        };
}

internal sealed class IntegerGrammar(int minimum, int maximum) : Grammar<int>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out int value)
    {
        value = 0;
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            report.Add("wrong-type", node, path, $"a whole number is expected, not {node.Kind}");
            return false;
        }

        if (!int.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
        {
            report.Add("bad-value", node, path, $"`{scalar.Written}` is not a whole number", $"write a number from {minimum} to {maximum}");
            return false;
        }

        if (value >= minimum && value <= maximum)
            return true;
        report.Add("out-of-range", node, path, $"`{scalar.Written}` is out of range", $"write a number from {minimum} to {maximum}");
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        new()
        {
            ["type"] = "integer",
            ["minimum"] = minimum,
            ["maximum"] = maximum,
        };
}

internal sealed class ChoiceGrammar<T>((string Word, T Value)[] words, string[] notYet) : Grammar<T>
    where T : struct
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T value)
    {
        value = default;
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            report.Add("wrong-type", node, path, $"one of {Words} is expected, not {node.Kind}");
            return false;
        }

        foreach (var (word, meaning) in words)
        {
            if (word == scalar.Text)
            {
                value = meaning;
                return true;
            }
        }

        if (notYet.Contains(scalar.Text))
            report.Add("not-available", node, path, $"`{scalar.Text}` is not available yet", $"use one of {Words}");
        else
            report.Add(
                "bad-value",
                node,
                path,
                $"`{scalar.Written}` is not one of {Words}",
                Suggestion.Nearest(scalar.Text, words.Select(w => w.Word))
            );
        return false;
    }

    private string Words => string.Join(", ", words.Select(w => $"`{w.Word}`"));

    public override JsonObject Describe(SchemaDefinitions definitions)
    {
        // YAML's unquoted numbers are as good a spelling of a word such as 308.
        var all = new JsonArray();
        foreach (var (word, _) in words)
        {
            all.Add((JsonNode)word);
            if (int.TryParse(word, CultureInfo.InvariantCulture, out var number))
                all.Add((JsonNode)number);
        }

        return new JsonObject { ["enum"] = all };
    }
}

internal sealed class FilePathGrammar(bool mayBeMissing = false) : Grammar<string>
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
    {
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            report.Add("wrong-type", node, path, $"a file's path is expected, not {node.Kind}");
            return Fail(out value);
        }

        value = ConfigPaths.Resolve(scalar, report);
        if (File.Exists(value))
            return true;
        if (mayBeMissing && !Directory.Exists(value))
        {
            report.Warn("file", node, path, $"the file {ConfigPaths.Show(scalar, value)} does not exist yet", ConfigPaths.Hint(scalar));
            return true;
        }

        report.Add("file", node, path, $"the file {ConfigPaths.Show(scalar, value)} does not exist", ConfigPaths.Hint(scalar));
        return Fail(out value);
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => new() { ["type"] = "string" };
}
