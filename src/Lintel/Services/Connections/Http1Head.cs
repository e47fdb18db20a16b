using System.Text;

namespace Lintel.Services.Connections;

/// <summary>
/// Scans the beginning of a response only as far as needed: for the end of interim responses and the start of the final one.
/// </summary>
internal static class Http1Head
{
    /// <summary>The length from which a status line is invalid. SocketsHttpHandler reports it.</summary>
    public const int MaxLength = 64 * 1024;

    /// <summary>The status in a head's first line; 0 if it is not known yet, -1 if the bytes are not an HTTP/1.x response.</summary>
    /// <param name="bytes">The bytes from the beginning of the head.</param>
    /// <param name="line">The length of the first line with its line ending.</param>
    public static int Status(ReadOnlySpan<byte> bytes, out int line)
    {
        line = bytes.IndexOf((byte)'\n') + 1;
        var prefix = "HTTP/1."u8;
        if (!prefix.StartsWith(bytes[..Math.Min(bytes.Length, prefix.Length)]))
            return -1;
        if (line == 0)
            return bytes.Length < MaxLength ? 0 : -1;
        return
            line >= 13
            && bytes[8] == ' '
            && char.IsAsciiDigit((char)bytes[9])
            && char.IsAsciiDigit((char)bytes[10])
            && char.IsAsciiDigit((char)bytes[11])
            ? ((bytes[9] - '0') * 100) + ((bytes[10] - '0') * 10) + bytes[11] - '0'
            : -1;
    }

    /// <summary>The length of a head including the empty line that ends it; 0 if it is incomplete.</summary>
    public static int Length(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; ; )
        {
            var end = bytes[at..].IndexOf((byte)'\n');
            if (end < 0)
                return 0;
            at += end + 1;
            if (bytes[at..].StartsWith("\r\n"u8))
                return at + 2;
            if (bytes[at..].StartsWith("\n"u8))
                return at + 1;
        }
    }

    /// <summary>The fields of an interim head. Invalid fields are skipped: interim responses are hints.</summary>
    public static List<KeyValuePair<string, string>> Fields(ReadOnlySpan<byte> head)
    {
        var fields = new List<KeyValuePair<string, string>>();
        var isFirst = true;
        foreach (var line in Encoding.Latin1.GetString(head).Split('\n'))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (!isFirst && colon > 0 && line.AsSpan(0, colon).IndexOfAnyExcept(Token) < 0)
                fields.Add(new(line[..colon], line[(colon + 1)..].Trim(' ', '\t', '\r')));
            isFirst = false;
        }

        return fields;
    }

    /// <summary>RFC 9110 section 5.6.2.</summary>
    private static readonly System.Buffers.SearchValues<char> Token = System.Buffers.SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    );
}
