using System.Buffers;
using System.Text;

namespace Lintel.Routing;

/// <summary>
/// Case folding of paths: that of Unicode (simple mappings), for literal and percent-encoded characters. The literal <c>/café</c> matches
/// <c>/CAF%C3%89</c>.
/// </summary>
/// <remarks>Text without escapes above ASCII is returned unchanged: ASCII case is ignored by the comparer.</remarks>
internal static class PathFold
{
    /// <summary>Folds the case of the characters above ASCII.</summary>
    /// <param name="path">Normalized text.</param>
    public static string Fold(string path) => NeedsFolding(path) ? Fold(path, null) : path;

    /// <summary>Whether <see cref="Fold(ReadOnlySpan{char}, List{int})"/> may change it.</summary>
    public static bool NeedsFolding(ReadOnlySpan<char> path)
    {
        for (var at = path.IndexOf('%'); at >= 0; at = path.IndexOf('%'))
        {
            if (IsHigh(path, at))
                return true;
            path = path[(at + 1)..];
        }

        return false;
    }

    /// <summary>Folds the case, and records the origin of each character of the result.</summary>
    /// <param name="path">Normalized text.</param>
    /// <param name="origins">Receives, for each character of the result and for its end, the index in <paramref name="path"/>.</param>
    public static string Fold(ReadOnlySpan<char> path, List<int>? origins)
    {
        var result = new StringBuilder(path.Length);
        Span<byte> utf8 = stackalloc byte[4];
        var at = 0;
        while (at < path.Length)
        {
            var start = at;
            if (!IsHigh(path, at))
            {
                result.Append(path[at++]);
            }
            else
            {
                var length = 0;
                while (length < 4 && IsHigh(path, start + (3 * length)))
                {
                    utf8[length] = Convert.FromHexString(path.Slice(start + (3 * length) + 1, 2))[0];
                    length++;
                }

                var status = Rune.DecodeFromUtf8(utf8[..length], out var rune, out var used);
                at = start + (3 * used);
                if (status == OperationStatus.Done)
                    AppendFolded(result, rune);
                else
                    result.Append(path[start..at]);
            }

            for (var i = origins?.Count ?? 0; i < result.Length; i++)
                origins?.Add(start);
        }

        origins?.Add(path.Length);
        return result.ToString();
    }

    public static bool Equals(string literal, string segment) => Fold(literal).Equals(Fold(segment), StringComparison.OrdinalIgnoreCase);

    private static bool IsHigh(ReadOnlySpan<char> path, int at) =>
        at + 2 < path.Length && path[at] == '%' && path[at + 1] is (>= '8' and <= '9') or (>= 'A' and <= 'F') or (>= 'a' and <= 'f');

    private static void AppendFolded(StringBuilder result, Rune rune)
    {
        // The two characters above ASCII that fold to an ASCII letter; .NET does not fold them.
        if (rune.Value is 0x017F or 0x212A)
        {
            result.Append(rune.Value == 0x017F ? 'S' : 'K');
            return;
        }

        Span<byte> utf8 = stackalloc byte[4];
        var folded = Rune.ToLowerInvariant(Rune.ToUpperInvariant(rune));
        foreach (var b in utf8[..folded.EncodeToUtf8(utf8)])
            result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
    }
}
