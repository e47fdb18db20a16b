using System.Globalization;
using System.Text;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>The answer of a server, and its segmentation.</summary>
/// <param name="IsHead">Whether the request was HEAD; otherwise it was GET.</param>
/// <param name="Bytes">Everything that comes before the server ends the connection.</param>
/// <param name="Cuts">The lengths of the pieces, again and again; none for one piece.</param>
internal sealed record Answer(bool IsHead, byte[] Bytes, int[] Cuts)
{
    /// <summary>As a line of the corpus: the method, and the bytes with their breaks and controls escaped.</summary>
    public override string ToString() => $"{(IsHead ? "HEAD" : "GET")} {Escape(Bytes)}";

    public static Answer Parse(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return new Answer(line[..space] == "HEAD", Unescape(line.AsSpan(space + 1)), []);
    }

    private static string Escape(byte[] bytes)
    {
        var text = new StringBuilder(bytes.Length * 2);
        foreach (var b in bytes)
        {
            _ = b switch
            {
                (byte)'\r' => text.Append(@"\r"),
                (byte)'\n' => text.Append(@"\n"),
                (byte)'\\' => text.Append(@"\\"),
                >= 0x20 and < 0x7f => text.Append((char)b),
                _ => text.Append(CultureInfo.InvariantCulture, $@"\x{b:x2}"),
            };
        }

        return text.ToString();
    }

    private static byte[] Unescape(ReadOnlySpan<char> text)
    {
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                bytes.Add((byte)text[i]);
                continue;
            }

            var kind = text[++i];
            bytes.Add(
                kind switch
                {
                    'r' => (byte)'\r',
                    'n' => (byte)'\n',
                    'x' => byte.Parse(text.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                    _ => (byte)kind,
                }
            );
            if (kind == 'x')
                i += 2;
        }

        return [.. bytes];
    }
}
