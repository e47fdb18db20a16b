using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.RegularExpressions;
using Lintel.Routing;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>
/// The regular expressions of schemas, which are those of ECMA-262: matched in linear time, with the classes of that standard. What needs
/// backtracking, such as lookarounds, is refused when the schema is read.
/// </summary>
internal static class EcmaPattern
{
    public static bool TryCreate(string pattern, [NotNullWhen(true)] out Regex? regex, [NotNullWhen(false)] out string? problem) =>
        LinearRegex.TryCreate(Translate(pattern), out regex, out problem);

    /// <summary>In ECMA-262 digits and letters of words are ASCII, and a dot matches no end of a line.</summary>
    private static string Translate(string pattern)
    {
        var result = new StringBuilder(pattern.Length + 16);
        var isInClass = false;
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                var next = pattern[++i];
                result.Append(Class(next, isInClass) ?? $"\\{next}");
                continue;
            }

            if (c == '.' && !isInClass)
            {
                result.Append("[^\\n\\r\\u2028\\u2029]");
                continue;
            }

            if (c == '[' && isInClass)
                result.Append('\\'); // a literal, as .NET alone subtracts classes
            isInClass = isInClass ? c != ']' : c == '[';
            result.Append(c);
        }

        return result.ToString();
    }

    private static string? Class(char name, bool isInClass) =>
        (name, isInClass) switch
        {
            ('d', false) => "[0-9]",
            ('d', true) => "0-9",
            ('w', false) => "[A-Za-z0-9_]",
            ('w', true) => "A-Za-z0-9_",
            ('D', false) => "[^0-9]",
            ('W', false) => "[^A-Za-z0-9_]",
            _ => null,
        };
}
