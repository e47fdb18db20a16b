using System.Text;
using System.Text.RegularExpressions;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>Something that .NET's client takes and ours refuses, because two recipients may read it differently.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Section">Where the RFC says that it is wrong, or lets a recipient refuse it.</param>
/// <param name="Refusal">How ours puts it.</param>
/// <param name="Sign">What must then stand in the bytes: the refusal is for the reason that it gives.</param>
internal sealed record RefusalRule(string Name, string Section, string Refusal, string Sign)
{
    private const string Control = @"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)";
    private const string LineFeedAlone = @"(?<!\r)\n";

    public static readonly IReadOnlyList<RefusalRule> All =
    [
        new("line feed alone in the head", "RFC 9112 2.2", "a line of its head ends with a bare LF", LineFeedAlone),
        new("line feed alone in trailers", "RFC 9112 2.2", "a trailer line ends with a bare LF", LineFeedAlone),
        new("line feed alone after a chunk's size", "RFC 9112 7.1", "the chunk size is not a hexadecimal number", LineFeedAlone),
        new(
            "line feed alone after a chunk's size and blanks",
            "RFC 9112 7.1",
            "unexpected characters follow the chunk size",
            LineFeedAlone
        ),
        new("half a line end after a chunk's size or data", "RFC 9112 7.1", "the chunk data does not match the chunk size", @"\r(?!\n)|\n"), // the carriage return before it may be the last byte of the data
        new(
            "control character, or too much, in a chunk's extension",
            "RFC 9112 7.1.1",
            "a chunk extension is malformed or too long",
            LineFeedAlone + "|" + Control + "|.{4096}"
        ),
        new("control character in the status line", "RFC 9112 4", "its status line is not valid HTTP/1.1", Control),
        new("status below 100", "RFC 9110 15", "its status code is not a number", @"HTTP/1\.[0-9] 0"),
        new(
            "name that is no token, or none",
            "RFC 9112 5.1",
            "a field name is not a token",
            @"\n[^\r\n:]*[^\r\n:!#$%&'*+\-.^_`|~0-9A-Za-z][^\r\n:]*:|\n:|\n[^\r\n:]+\r"
        ),
        new("control character in a value", "RFC 9110 5.5", "a field value contains a control character", Control),
        new("folded line", "RFC 9112 5.2", "a field line is folded (obs-fold)", @"\n[ \t]"),
        new(
            "Content-Length that is no number",
            "RFC 9112 6.3, 5",
            "Content-Length is not a number",
            @"(?i:\ncontent-length[ \t]*:[ \t]*)([0-9]*[^0-9\r]|\r|[0-9]{19})"
        ),
        new(
            "Content-Length twice",
            "RFC 9112 6.3, 5",
            "duplicate Content-Length",
            @"(?is:\ncontent-length[ \t]*:.*\ncontent-length[ \t]*:)"
        ),
        new(
            "Content-Length beside Transfer-Encoding",
            "RFC 9112 6.3, 3",
            "it has both Content-Length and Transfer-Encoding",
            @"(?is:\ncontent-length[ \t]*:.*\ntransfer-encoding[ \t]*:|\ntransfer-encoding[ \t]*:.*\ncontent-length[ \t]*:)"
        ),
        new(
            "Transfer-Encoding that is not chunked",
            "RFC 9112 6.1, 6.3, 4",
            "its Transfer-Encoding is not `chunked`",
            @"(?is:\ntransfer-encoding[ \t]*:[ \t]*(?!chunked[ \t]*\r)|\ntransfer-encoding[ \t]*:.*\ntransfer-encoding[ \t]*:)"
        ),
        new(
            "Transfer-Encoding in HTTP/1.0",
            "RFC 9112 6.1",
            "HTTP/1.0 does not allow Transfer-Encoding",
            @"HTTP/1\.0(?is:.*\ntransfer-encoding[ \t]*:)"
        ),
    ];

    private readonly Regex _sign = new(Sign, RegexOptions.CultureInvariant);

    /// <summary>The rule by which this may be refused; <see langword="null"/> where it may not.</summary>
    public static RefusalRule? Find(string refusal, Answer answer)
    {
        var text = Encoding.Latin1.GetString(answer.Bytes);
        return All.FirstOrDefault(r => refusal.EndsWith($": {r.Refusal}.", StringComparison.Ordinal) && r._sign.IsMatch(text));
    }
}
