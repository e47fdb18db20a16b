using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;

namespace Lintel.Routing;

/// <summary>A user's regular expression, matched in time linear in its input: no pattern can stall the gateway.</summary>
internal static class LinearRegex
{
    /// <summary>Compiles a pattern; on failure returns the problem in one sentence.</summary>
    public static bool TryCreate(string pattern, [NotNullWhen(true)] out Regex? regex, [NotNullWhen(false)] out string? problem)
    {
        try
        {
            regex = new Regex(WithStrictEnd(pattern), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            problem = null;
            return true;
        }
        catch (RegexParseException e)
        {
            problem = e.Message;
        }
        catch (NotSupportedException)
        {
            problem = "lookarounds, backreferences and atomic groups cannot be matched in linear time";
        }

        regex = null;
        return false;
    }

    /// <summary>
    /// Makes <c>$</c> match only at the end: in .NET it also matches before a final line feed. Patterns that enable <c>m</c> request line
    /// mode and keep theirs.
    /// </summary>
    internal static string WithStrictEnd(string pattern)
    {
        if (!pattern.Contains('$') || AsksForLines(pattern))
            return pattern;
        var result = new StringBuilder(pattern.Length + 8);
        var depth = 0; // of character classes: they nest by subtraction
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                result.Append(c).Append(pattern[++i]);
                continue;
            }

            if (c == '[' && (depth == 0 || pattern[i - 1] == '-'))
            {
                depth++;
                result.Append(c);

                // A closing bracket right at the start of a class is a literal.
                if (i + 1 < pattern.Length && pattern[i + 1] == '^')
                    result.Append(pattern[++i]);
                if (i + 1 < pattern.Length && pattern[i + 1] == ']')
                    result.Append(pattern[++i]);
                continue;
            }

            depth -= c == ']' && depth > 0 ? 1 : 0;
            result.Append(c == '$' && depth == 0 ? "\\z" : c.ToString());
        }

        return result.ToString();
    }

    /// <summary>Whether inline options, <c>(?m)</c> or <c>(?im-s:…)</c>, enable multiline mode.</summary>
    private static bool AsksForLines(string pattern)
    {
        for (
            var at = pattern.IndexOf("(?", StringComparison.Ordinal);
            at >= 0;
            at = pattern.IndexOf("(?", at + 1, StringComparison.Ordinal)
        )
        {
            for (var i = at + 2; i < pattern.Length && (char.IsAsciiLetter(pattern[i])); i++)
            {
                if (pattern[i] == 'm')
                    return true;
            }
        }

        return false;
    }
}
