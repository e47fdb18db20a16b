using YamlDotNet.Core;

namespace Lintel.Config.Reading;

/// <summary>
/// What is wrong with text that is no YAML, described from the author's point of view: the scanner reports where it had to stop, a
/// line or two after the mistake.
/// </summary>
internal sealed class YamlSyntaxProblem(string source, string text)
{
    private readonly string[] _lines = text.Split('\n');

    public ConfigProblem Explain(YamlException failure)
    {
        var inner = failure.InnerException is YamlException deeper ? deeper : failure;
        var (line, column) = ((int)inner.Start.Line, (int)inner.Start.Column);
        var message = inner.Message;
        if (message.Contains("tab", StringComparison.Ordinal) && FindTab(line) is { } tab)
            return Problem(
                tab.Line,
                tab.Column,
                "the indentation of this line contains a tab",
                "indent with spaces: YAML does not allow tabs in indentation"
            );
        if (message.Contains("cannot start any token", StringComparison.Ordinal))
            return Problem(line, column, $"`{At(line, column)}` cannot start a value", "put the value in quotes");
        if (message.Contains("invalid mapping", StringComparison.Ordinal))
            return SecondColon(line, column);
        if (message.Contains("quoted scalar", StringComparison.Ordinal))
            return Problem(
                line,
                column,
                "the quoted text that starts here is not closed",
                "close the quote; indent continuation lines deeper"
            );
        if (
            message.Contains("did not find expected key", StringComparison.Ordinal)
            || message.Contains("expected <document end>", StringComparison.Ordinal)
        )
            return IsFirstOfLine(line, column)
                ? WrongIndentation(line)
                : Problem(
                    line,
                    column,
                    $"`{At(line, column)}` is unexpected after the end of a value",
                    "quote the whole value if it contains braces, brackets or quotes"
                );
        return Problem(
            line,
            column,
            "invalid YAML: " + Clean(message),
            IsOfTheLibrary(message) ? "check the indentation of this line and the previous one: the keys of one map are aligned" : null
        );
    }

    /// <summary>Other messages are the reader's own, and say all.</summary>
    private static bool IsOfTheLibrary(string message) =>
        Clean(message) is var words
        && (words.StartsWith("While ", StringComparison.Ordinal) || words.StartsWith("Did not ", StringComparison.Ordinal));

    private ConfigProblem Problem(int line, int column, string message, string? hint) =>
        new("syntax", new SourcePosition(source, line, column), "", message, hint);

    /// <summary>
    /// The scanner took several lines, or what looks like a key in the middle of one, for one text, and then came a colon.
    /// </summary>
    private ConfigProblem SecondColon(int line, int column)
    {
        var key = Indentation(line) + 1;
        var before = Enumerable.Range(1, Math.Max(0, line - 1)).LastOrDefault(l => !IsBlank(l));
        if (Line(line)[..Math.Max(0, Math.Min(Line(line).Length, column - 1))].Contains(": ", StringComparison.Ordinal) || before == 0)
            return Problem(line, column, "this line contains a second `:`", "quote a value that contains `: `");
        var above = Line(before).Trim();
        if (!above.Contains(": ", StringComparison.Ordinal) && !above.EndsWith(':'))
        {
            return above.Contains(':')
                ? Problem(
                    before,
                    Indentation(before) + 1,
                    $"`{Short(above)}` is not a key with a value: no space follows the `:`",
                    "write `key: value`"
                )
                : Problem(
                    before,
                    Indentation(before) + 1,
                    $"`{Short(above)}` is not a key: no `:` follows it",
                    "write `key: value`, or `key:` followed by lines that are indented deeper"
                );
        }

        return Problem(
            line,
            key,
            $"this line is indented deeper than line {before}, which already has a value",
            $"indent it like line {before}, or remove the value of that line"
        );
    }

    private ConfigProblem WrongIndentation(int line)
    {
        var open = new Stack<int>();
        for (var i = 1; i < line; i++)
        {
            if (IsBlank(i))
                continue;
            var indentation = Indentation(i);
            while (open.TryPeek(out var last) && last >= indentation)
                open.Pop();
            open.Push(indentation);
        }

        if (open.Contains(Indentation(line)))
            return Problem(
                line,
                Indentation(line) + 1,
                $"`{At(line, Indentation(line) + 1)}` is neither a key with a value nor a list item",
                "write `key: value`, or `- item`; check for an unclosed bracket or quote above"
            );
        var levels = string.Join(", ", open.Reverse());
        return Problem(
            line,
            Indentation(line) + 1,
            $"this line is indented by {Spaces(Indentation(line))}, unlike any line above that it could belong to",
            $"possible indentations are {levels} {(levels == "1" ? "space" : "spaces")}: align it with one of "
                + $"them, and indent the content of a key deeper than the key"
        );
    }

    private static string Spaces(int count) =>
        count switch
        {
            0 => "0 spaces",
            1 => "1 space",
            _ => $"{count} spaces",
        };

    private string Line(int number) => number >= 1 && number <= _lines.Length ? _lines[number - 1].TrimEnd('\r') : "";

    private string At(int line, int column) =>
        Line(line) is var whole && column >= 1 && column <= whole.Length ? Short(whole[(column - 1)..].Trim()) : "";

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "…";

    private int Indentation(int line) => Line(line).Length - Line(line).TrimStart(' ').Length;

    private bool IsBlank(int line) => Line(line).TrimStart() is "" or ['#', ..];

    private bool IsFirstOfLine(int line, int column) => column == Indentation(line) + 1;

    private static string Clean(string message)
    {
        // YamlDotNet puts its own position in front of the reason: "(Line: 1, Col: 2, Idx: 3) - (…): reason".
        var colon = message.StartsWith('(') ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return (colon < 0 ? message : message[(colon + 3)..]).TrimEnd('.');
    }

    /// <summary>The first tab among the spaces that begin a line: the scanner reports where the enclosing map began.</summary>
    private (int Line, int Column)? FindTab(int line)
    {
        for (var i = Math.Max(1, line); i <= _lines.Length; i++)
        {
            var whole = Line(i);
            var indentation = whole.AsSpan(0, whole.Length - whole.AsSpan().TrimStart(" \t").Length);
            if (indentation.Contains('\t'))
                return (i, indentation.IndexOf('\t') + 1);
        }

        return null;
    }
}
