using System.Text;
using CsCheck;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>Answers: mostly right ones with one or another thing wrong, for what is wrong all over is refused at its first line.</summary>
internal static class AnswerGen
{
    private static readonly Gen<string> LineEnd = Gen.Frequency(
        (3000, "\r\n"),
        (1, "\n"),
        (1, "\r"),
        (1, "\r\r\n"),
        (1, " \r\n"),
        (1, "\t\r\n"),
        (1, "\0\r\n"),
        (1, "\r\n\r\n"),
        (1, "\r\n "),
        (1, "")
    );

    private static readonly Gen<string> StatusLine = Gen.Frequency(
        (20, Gen.Const("HTTP/1.1 200 OK")),
        (
            20,
            Gen.OneOf(
                "HTTP/1.1 204 No Content",
                "HTTP/1.1 304 Not Modified",
                "HTTP/1.1 206 Partial Content",
                "HTTP/1.1 404 Not Found",
                "HTTP/1.0 200 OK",
                "HTTP/1.1 200",
                "HTTP/1.1 500 ",
                "HTTP/1.1 101 Switching Protocols",
                "HTTP/1.1 205 Reset Content"
            )
        ),
        (
            1,
            Gen.Select(
                Gen.OneOf(
                    "HTTP/1.1",
                    "HTTP/1.0",
                    "HTTP/1.2",
                    "HTTP/1.9",
                    "HTTP/2.0",
                    "HTTP/0.9",
                    "HTTP/2",
                    "http/1.1",
                    "HTTP/1.",
                    "HTTP/01.1",
                    "ICY",
                    "HTTP/1.1\t",
                    ""
                ),
                Gen.OneOf(" ", "  ", "\t", ""),
                Gen.Frequency(
                    (3, Gen.Int[100, 999].Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture))),
                    (1, Gen.OneOf("099", "000", "20", "2000", "2x0", "-20", "+20", "200.5", ""))
                ),
                Gen.OneOf("", " ", " OK", "  OK", "\tOK", "OK", " \u0080ÿ", " a\0b", " a\rb", " a\x7f"),
                (version, space, code, reason) => version + space + code + reason
            )
        )
    );

    private static readonly Gen<string> Name = Gen.Frequency(
        (
            40,
            Gen.OneOf(
                "Server",
                "Date",
                "X-A",
                "x-a",
                "Set-Cookie",
                "ETag",
                "Content-Type",
                "Last-Modified",
                "Location",
                "Vary",
                "Expires",
                "Allow",
                "Via",
                "Warning",
                "Cache-Control"
            )
        ),
        (
            1,
            Gen.OneOf(
                "X A",
                "X-A ",
                "X-A\t",
                " X-A",
                "\tX-A",
                "X:A",
                "",
                "X\0A",
                "X\x7f",
                "Xä",
                "\"X\"",
                "X(",
                "X/A",
                "!#$%&'*+-.^_`|~",
                "content-length",
                "TRANSFER-ENCODING",
                "Content-Length\x0b",
                "\x0bTransfer-Encoding",
                "Content_Length"
            )
        )
    );

    private static readonly Gen<string> Value = Gen.Frequency(
        (20, Gen.OneOf("a", "nginx", "a=b; Path=/", "\"1\"", "text/plain", "Tue, 24 Nov 2026 10:00:00 GMT", "*", "a, b", "")),
        (3, Gen.Char[' ', '~'].Array[0, 40].Select(c => new string(c))),
        (
            1,
            Gen.OneOf(
                "\u0080ÿ",
                "ä",
                "a\tb",
                "a\0b",
                "a\rb",
                "a\x01b",
                "a\x7f",
                "a\x0b",
                "\x0c",
                "\xa0",
                "\x85",
                ": a",
                ",",
                new string('v', 300),
                "close",
                "chunked",
                "5"
            )
        )
    );

    private static readonly Gen<string> Colon = Gen.Frequency(
        (60, ": "),
        (30, ":"),
        (5, ":\t"),
        (5, ":  \t "),
        (1, " :"),
        (1, ""),
        (1, "::")
    );

    private static readonly Gen<string> Meant = Gen.OneOf(
        "Connection: close",
        "Connection: keep-alive",
        "connection:Close, x",
        "Connection: ,close,",
        "Connection: Content-Length",
        "Connection: transfer-encoding, close",
        "Connection: ",
        "Keep-Alive: timeout=5, max=1",
        "Trailer: X-A",
        "Upgrade: h2c",
        "Proxy-Connection: close"
    );

    private static readonly Gen<string> Field = Gen.Frequency(
        (
            10,
            Gen.Select(Name, Colon, Value, Gen.OneOf("", "", "", " ", " \t"), (name, colon, value, space) => name + colon + value + space)
        ),
        (3, Meant)
    );

    private static readonly Gen<string> WrongFraming = Gen.OneOf(
        "Content-Length: 5",
        "Content-Length: 0",
        "Content-Length: 6",
        "Content-Length: 05",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5,5",
        "Content-Length: 5, 6",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: ",
        "Content-Length:5 ",
        "Content-Length: 5;",
        "Content-Length: 9223372036854775807",
        "Content-Length: 9223372036854775808",
        "Content-Length: 18446744073709551621",
        "content-length: 5",
        "Content-Length : 5",
        "Content-Length: \"5\"",
        "Content-Length: ５",
        "Transfer-Encoding: chunked",
        "transfer-encoding: CHUNKED",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: ",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding:\tchunked\t",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: chun\0ked",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\n chunked",
        "Transfer-Encoding\r\n : chunked"
    );

    private static readonly Gen<string> Data = Gen.Frequency(
        (5, Gen.Char['a', 'z'].Array[1, 20].Select(c => new string(c))),
        (1, Gen.OneOf("\r\n", "0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "\n")),
        (1, Gen.Int[100, 5000].Select(n => new string('x', n)))
    );

    private static readonly Gen<string> Extension = Gen.Frequency(
        (300, ""),
        (10, ";a=b"),
        (10, ";a"),
        (10, ";"),
        (10, " "),
        (1, "\t"),
        (10, " ;a=\"b;c\""),
        (1, ";a=\"\r\n\""),
        (1, " 5"),
        (1, ";a\n"),
        (1, ";a\rb"),
        (1, ";\x01"),
        (1, ";\xff"),
        (1, "\0"),
        (1, "g"),
        (1, ";" + new string('e', 5000))
    );

    private static readonly Gen<string> Chunk = Gen.Select(
        Data,
        Gen.Frequency((300, 0), (1, 1), (1, -1), (1, 1 << 20)),
        Gen.Frequency((90, "x"), (30, "X"), (10, "x8"), (2, "x20"), (1, "D")),
        Extension,
        LineEnd,
        LineEnd,
        (data, more, format, extension, first, second) =>
            Math.Max(0, data.Length + more).ToString(format, System.Globalization.CultureInfo.InvariantCulture)
            + extension
            + first
            + data
            + second
    );

    private static readonly Gen<string> LastChunk = Gen.Select(
        Gen.Frequency(
            (100, "0"),
            (10, "00"),
            (1, "0000000000000000000000"),
            (1, "-0"),
            (1, "+0"),
            (1, "0x0"),
            (1, ""),
            (1, " 0"),
            (1, "ffffffffffffffff"),
            (1, "10000000000000000"),
            (1, "7fffffffffffffff"),
            (1, "100000000000000")
        ),
        Extension,
        LineEnd,
        (size, extension, end) => size + extension + end
    );

    private static readonly Gen<string> TrailerSection = Gen.Frequency(
        (3, Gen.Const("")),
        (2, Gen.Select(Field, LineEnd, (f, e) => f + e).Array[1, 3].Select(string.Concat)),
        (1, Gen.Select(WrongFraming, LineEnd, (f, e) => f + e))
    );

    private static readonly Gen<string> ChunkedBody = Gen.Select(
        Chunk.Array[0, 4],
        LastChunk,
        TrailerSection,
        LineEnd,
        (chunks, last, trailers, end) => string.Concat(chunks) + last + trailers + end
    );

    /// <summary>A body and the field that announces it.</summary>
    private static readonly Gen<(string Framing, string Body)> Framed = Gen.Frequency(
        (6, Gen.Select(Data, d => ($"Content-Length: {d.Length}\r\n", d))),
        (10, Gen.Select(Gen.OneOf("Transfer-Encoding: chunked\r\n", "transfer-encoding:Chunked\r\n"), ChunkedBody, (f, b) => (f, b))),
        (2, Gen.Select(Data, d => ("", d))),
        (1, Gen.Const(("", ""))),
        (1, Gen.Const(("Content-Length: 0\r\n", ""))),
        (
            5,
            Gen.Select(Gen.Select(WrongFraming, LineEnd, (f, e) => f + e).Array[1, 2], Gen.OneOf(Data, ChunkedBody), (f, b) =>
                (string.Concat(f), b)
            )
        )
    );

    private static readonly Gen<string> Fields = Gen.Select(Field, LineEnd, (f, e) => f + e).Array[0, 4].Select(string.Concat);

    private static readonly Gen<string> Interim = Gen.Select(
        Gen.OneOf("HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints", "HTTP/1.1 102", "HTTP/1.0 100 Continue", "HTTP/1.1 199 "),
        Fields,
        LineEnd,
        (s, f, e) => s + "\r\n" + f + e
    );

    private static readonly Gen<string> Text = Gen.Select(
        Gen.Frequency((6, Gen.Const("")), (1, Interim), (1, Gen.Select(Interim, Interim, (a, b) => a + b))),
        Gen.Select(StatusLine, LineEnd, (s, e) => s + e),
        Gen.Select(Fields, Framed, Fields, (before, framed, after) => (Head: before + framed.Framing + after, framed.Body)),
        LineEnd,
        Gen.Frequency((10, ""), (1, "x"), (1, "\r\n"), (1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
        (interim, status, framed, end, after) => interim + status + framed.Head + end + framed.Body + after
    );

    private static readonly Gen<int[]> Cuts = Gen.Frequency(
        (1, Gen.Const<int[]>([1])),
        (1, Gen.Int[1, 3].Array[1, 5]),
        (2, Gen.Int[1, 60].Array[1, 5]),
        (1, Gen.Const<int[]>([]))
    );

    /// <summary>Generated by the grammar, with one or two bytes changed.</summary>
    public static readonly Gen<Answer> Grammatical = Gen.Select(
        Gen.Frequency((6, false), (1, true)),
        Text,
        Mutation.Few,
        Cuts,
        (isHead, text, mutations, cuts) => new Answer(isHead, Mutation.Apply(Encoding.Latin1.GetBytes(text), mutations), cuts)
    );

    /// <summary>One that is known to be interesting, changed at random.</summary>
    public static Gen<Answer> Of(IReadOnlyList<Answer> known) =>
        Gen.Select(
            Gen.Int[0, known.Count - 1],
            Gen.Int[0, known.Count - 1],
            Gen.Frequency((9, false), (1, true)),
            Mutation.Some,
            Cuts,
            (one, other, crosses, mutations, cuts) =>
                known[one] with
                {
                    Bytes = Mutation.Apply(
                        crosses ? Mutation.Cross(known[one].Bytes, known[other].Bytes, mutations) : known[one].Bytes,
                        mutations
                    ),
                    Cuts = cuts,
                }
        );
}
