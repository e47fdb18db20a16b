using System.Text;

namespace Lintel.JmesPath;

/// <summary>String operations on UTF-8 text. Invalid bytes count as the U+FFFD that they decode to.</summary>
internal static class CodePoints
{
    /// <summary>Up to this many comparisons in the worst case the runtime's vectorized search is used, which is quadratic there.</summary>
    private const long QuickComparisons = 1 << 20;

    /// <summary>The number of code points.</summary>
    public static int Length(ReadOnlySpan<byte> text)
    {
        var count = 0;
        while (text.IndexOfAnyInRange((byte)0x80, (byte)0xFF) is >= 0 and var ascii)
        {
            Rune.DecodeFromUtf8(text[ascii..], out _, out var length);
            count += ascii + 1;
            text = text[(ascii + length)..];
        }

        return count + text.Length;
    }

    /// <summary>The code points from behind.</summary>
    public static byte[] Reverse(ReadOnlySpan<byte> text)
    {
        // A byte that is none becomes three.
        var reversed = new byte[System.Text.Unicode.Utf8.IsValid(text) ? text.Length : 3 * text.Length];
        var at = reversed.Length;
        while (!text.IsEmpty)
        {
            Rune.DecodeFromUtf8(text, out var rune, out var length);
            at -= rune.Utf8SequenceLength;
            rune.EncodeToUtf8(reversed.AsSpan(at));
            text = text[length..];
        }

        return at == 0 ? reversed : reversed[at..];
    }

    /// <summary>Whether a text contains another one, in time linear in their total length: both may come from a service.</summary>
    public static bool Contains(ReadOnlySpan<byte> text, ReadOnlySpan<byte> part)
    {
        if ((long)text.Length * part.Length <= QuickComparisons)
            return text.IndexOf(part) >= 0;

        // Knuth, Morris and Pratt: how much of the part's beginning is matched still, when its next byte is not.
        var matched = new int[part.Length];
        for (int i = 1, length = 0; i < part.Length; i++)
        {
            while (length > 0 && part[i] != part[length])
                length = matched[length - 1];
            if (part[i] == part[length])
                length++;
            matched[i] = length;
        }

        var found = 0;
        foreach (var c in text)
        {
            while (found > 0 && c != part[found])
                found = matched[found - 1];
            if (c == part[found])
                found++;
            if (found == part.Length)
                return true;
        }

        return false;
    }
}
