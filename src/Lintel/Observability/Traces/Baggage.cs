using Microsoft.Extensions.Primitives;

namespace Lintel.Observability.Traces;

/// <summary>
/// <c>baggage</c> (https://www.w3.org/TR/baggage/): forwarded unchanged, in one line, within the limits that every implementation has to
/// support.
/// </summary>
internal static class Baggage
{
    /// <summary>Section 3.3.2, «Limits».</summary>
    private const int MaxMembers = 64;

    /// <summary>Section 3.3.2, «Limits»: of all lines, joined by commas.</summary>
    private const int MaxBytes = 8192;

    /// <summary>
    /// Leading members that fit; a member is forwarded completely or not at all. <see cref="StringValues.Empty"/> if none fits.
    /// </summary>
    public static StringValues Limit(StringValues lines)
    {
        var text = lines.Count == 1 ? lines[0] ?? "" : string.Join(',', lines.ToArray());
        if (text.Length <= MaxBytes && text.AsSpan().Count(',') < MaxMembers)
            return text;

        var end = 0;
        var members = 0;
        foreach (var part in text.AsSpan().Split(','))
        {
            if (part.End.Value > MaxBytes || ++members > MaxMembers)
                break;
            end = part.End.Value;
        }

        return end == 0 ? StringValues.Empty : text[..end];
    }
}
