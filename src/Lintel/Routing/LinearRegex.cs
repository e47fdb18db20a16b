using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Lintel.Routing;

/// <summary>A user's regular expression, run in time linear in its input: no pattern can be made to stall the gateway.</summary>
internal static class LinearRegex
{
    /// <summary>Compiles a pattern, or says in one sentence why it cannot be.</summary>
    public static bool TryCreate(string pattern, [NotNullWhen(true)] out Regex? regex, [NotNullWhen(false)] out string? problem)
    {
        try
        {
            regex = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            problem = null;
            return true;
        }
        catch (RegexParseException e)
        {
            problem = e.Message;
        }
        catch (NotSupportedException)
        {
            problem = "lookarounds, backreferences and atomic groups cannot be run in linear time";
        }

        regex = null;
        return false;
    }
}
