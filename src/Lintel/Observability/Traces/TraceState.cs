using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Lintel.Observability.Traces;

/// <summary><c>tracestate</c> (W3C Trace Context level 1, section 3.3.1): what tracing systems before us want to find again.</summary>
internal static class TraceState
{
    /// <summary>Section 3.3.1.1.</summary>
    private const int MaxMembers = 32;

    /// <summary>Section 3.3.1.5: the length that must be propagated; longer lists are truncated by the rules there.</summary>
    private const int MaxLength = 512;

    /// <summary>Section 3.3.1.5: members longer than this go first.</summary>
    private const int LongMember = 128;

    private static readonly SearchValues<char> KeyCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-*/");

    /// <summary>Reads all lines as one list.</summary>
    /// <returns>
    /// The list as forwarded: members only, in order, the first of equal keys, truncated to 512 characters. <see langword="null"/> if there
    /// is none or any member is invalid.
    /// </returns>
    public static string? Parse(StringValues lines)
    {
        if (lines.Count == 0)
            return null;
        var text = lines.Count == 1 ? lines[0] ?? "" : string.Join(',', lines.ToArray());
        Span<Range> members = stackalloc Range[MaxMembers];
        var count = 0;
        var seen = 0;
        var length = 0;
        foreach (var part in text.AsSpan().Split(','))
        {
            var member = Trim(text, part);
            var span = text.AsSpan(member);
            if (span.IsEmpty)
                continue; // allowed: lines that were joined leave such places
            var equals = span.IndexOf('=');
            if (equals < 0 || !IsKey(span[..equals]) || !IsValue(span[(equals + 1)..]))
                return null;
            if (++seen > MaxMembers)
                return null;
            if (IsKnown(text, members[..count], span[..(equals + 1)]))
                continue; // the first one is the newest: whoever writes an entry puts it to the front
            members[count++] = member;
            length += span.Length + 1;
        }

        if (count == 0)
            return null;
        length--;
        return length == text.Length && length <= MaxLength ? text : Join(text, members[..count], length);
    }

    /// <summary>Without the optional white space around it: spaces and tabs.</summary>
    private static Range Trim(string text, Range part)
    {
        var (start, end) = (part.Start.Value, part.End.Value);
        while (start < end && text[start] is ' ' or '\t')
            start++;
        while (end > start && text[end - 1] is ' ' or '\t')
            end--;
        return start..end;
    }

    /// <summary>A key of one system, or <c>tenant@system</c> (section 3.3.1.3.1).</summary>
    private static bool IsKey(ReadOnlySpan<char> key)
    {
        var at = key.IndexOf('@');
        if (at < 0)
            return key.Length is >= 1 and <= 256 && char.IsAsciiLetterLower(key[0]) && !key.ContainsAnyExcept(KeyCharacters);
        var tenant = key[..at];
        var system = key[(at + 1)..];
        return tenant.Length is >= 1 and <= 241
            && (char.IsAsciiLetterLower(tenant[0]) || char.IsAsciiDigit(tenant[0]))
            && !tenant.ContainsAnyExcept(KeyCharacters)
            && system.Length is >= 1 and <= 14
            && char.IsAsciiLetterLower(system[0])
            && !system.ContainsAnyExcept(KeyCharacters);
    }

    /// <summary>
    /// Section 3.3.1.3.2: printable ASCII without comma and equals sign; trimming ensures that it does not end with a space.
    /// </summary>
    private static bool IsValue(ReadOnlySpan<char> value)
    {
        if (value.Length is 0 or > 256)
            return false;
        foreach (var c in value)
        {
            if (c is < ' ' or > '~' or ',' or '=')
                return false;
        }

        return true;
    }

    private static bool IsKnown(string text, ReadOnlySpan<Range> members, ReadOnlySpan<char> keyAndEquals)
    {
        foreach (var member in members)
        {
            if (text.AsSpan(member).StartsWith(keyAndEquals))
                return true;
        }

        return false;
    }

    private static string? Join(string text, ReadOnlySpan<Range> members, int length)
    {
        var kept = new List<string>(members.Length);
        foreach (var member in members)
            kept.Add(text[member]);
        while (length > MaxLength)
        {
            var last = kept.FindLastIndex(m => m.Length > LongMember);
            last = last < 0 ? kept.Count - 1 : last;
            length -= kept[last].Length + 1;
            kept.RemoveAt(last);
        }

        return kept.Count == 0 ? null : string.Join(',', kept);
    }
}
