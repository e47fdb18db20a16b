using System.Globalization;
using System.Text;

namespace Lintel.Config.Grammars;

/// <summary>Host names as the protocols write them.</summary>
internal static class HostNames
{
    /// <summary>
    /// In lower case, labels of other scripts as A-labels (<c>bücher.example</c> is <c>xn--bcher-kva.example</c>). What cannot be a name
    /// comes back as it is.
    /// </summary>
    public static string ToAscii(string name)
    {
        if (Ascii.IsValid(name))
            return name.ToLowerInvariant();
        try
        {
            return new IdnMapping().GetAscii(name.ToLowerInvariant()).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return name;
        }
    }
}
