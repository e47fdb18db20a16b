using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>
/// The table of hostile HTTP/2: frames, and what becomes of stream 1 or the connection. Part of <c>docs/hostile-requests.md</c>.
/// </summary>
internal static class HostileFrames
{
    public static IReadOnlyList<HostileFrame> All { get; } =
    [
        // RFC 9113 section 8.2 and 8.3: malformed requests
        Head("a header's name in capitals", [("X-A", "b")]),
        Head("a space in a header's name", [("x a", "b")]),
        Head("a colon in a header's name", [("x:a", "b")]),
        Head("an empty header name", [("", "b")]),
        Head("a line break in a value", [("x-a", "b\r\nx-c: d")]),
        Head("a NUL in a value", [("x-a", "b\0")]),
        Head("another control character in a value", [("x-a", "b\a")]),
        Head("a DEL in a value", [("x-a", "b\x7f")]),
        Head("a blank before a value", [("x-a", " b")]),
        Head("a tab after a value", [("x-a", "b\t")]),
        Head("Connection", [("connection", "close")]),
        Head("Keep-Alive", [("keep-alive", "5")]),
        Head("Proxy-Connection", [("proxy-connection", "close")]),
        Head("Transfer-Encoding", [("transfer-encoding", "chunked")]),
        Head("Upgrade", [("upgrade", "h2c")]),
        Head("TE other than trailers", [("te", "gzip")]),
        Head("an unknown pseudo-header", [(":other", "x")]),
        Head("a pseudo-header after a header", [("x-a", "b"), (":method", "GET")]),
        Head("a second :method", [(":method", "GET")]),
        Head("a second :path", [(":path", "/s")]),
        Head("a second :authority", [(":authority", "u")]),
        Head("a response's pseudo-header", [(":status", "200")]),
        Head("two Content-Lengths", [("content-length", "0"), ("content-length", "5")]),
        Head("a signed Content-Length", [("content-length", "+5")]),
        Whole("no :method", Block((":scheme", "http"), (":path", "/s"), (":authority", "t"))),
        Whole("no :path", Block((":method", "GET"), (":scheme", "http"), (":authority", "t"))),
        Whole("no :scheme", Block((":method", "GET"), (":path", "/s"), (":authority", "t"))),
        Whole("no :authority and no Host", Block((":method", "GET"), (":scheme", "http"), (":path", "/s"))),
        Whole(":scheme https on a plain connection", Block((":method", "GET"), (":scheme", "https"), (":path", "/s"), (":authority", "t"))),
        Whole(":scheme ftp", Block((":method", "GET"), (":scheme", "ftp"), (":path", "/s"), (":authority", "t"))),
        Whole("TRACE", Block((":method", "TRACE"), (":scheme", "http"), (":path", "/s"), (":authority", "t"))),
        Whole("an empty :path", Get("")),
        Whole("a :path without a slash", Get("s")),
        Whole("a :path that is an address", Get("http://t/s")),
        Whole("a space in :path", Get("/s s")),
        Whole("a line break in :path", Get("/s\r\nX-A: b")),
        Whole("an escaped NUL in :path", Get("/s/%00")),
        Whole("GET *", Get("*")),
        Whole("a method in small letters", Block((":method", "get"), (":scheme", "http"), (":path", "/s"), (":authority", "t"))),
        Whole("a method with a space", Block((":method", "GET /x"), (":scheme", "http"), (":path", "/s"), (":authority", "t"))),
        Whole("CONNECT", Block((":method", "CONNECT"), (":authority", "t:443"))),
        Whole("a malformed :authority", Block((":method", "GET"), (":scheme", "http"), (":path", "/s"), (":authority", "a b"))),
        Whole("user and password in :authority", Block((":method", "GET"), (":scheme", "http"), (":path", "/s"), (":authority", "a:b@t"))),
        Whole("headers of 40 KB", Get("/s", [.. Enumerable.Range(0, 40).Select(i => ($"x-{i}", new string('a', 1000)))])),
        Whole("101 headers", Get("/s", [.. Enumerable.Range(0, 101).Select(i => ($"x-{i}", "a"))])),
        new(
            "less data than Content-Length",
            [.. Frame(Headers, EndHeaders, 1, Post(("content-length", "5"))), .. Frame(Data, EndStream, 1, "hi"u8)]
        )
        {
            IsInBody = true,
        },
        new(
            "more data than Content-Length",
            [.. Frame(Headers, EndHeaders, 1, Post(("content-length", "2"))), .. Frame(Data, EndStream, 1, "hello"u8)]
        )
        {
            IsInBody = true,
        },
        new(
            "a pseudo-header among the trailers",
            [.. Frame(Headers, EndHeaders, 1, Post()), .. Frame(Headers, EndHeaders | EndStream, 1, Block((":path", "/x")))]
        )
        {
            IsInBody = true,
        },
        new("a signed Content-Length, and the body later", Frame(Headers, EndHeaders, 1, Post(("content-length", "+5")))),
        new(
            "a signed Content-Length that the body has",
            [.. Frame(Headers, EndHeaders, 1, Post(("content-length", "+5"))), .. Frame(Data, EndStream, 1, "hello"u8)]
        )
        {
            IsRefusedByWhoIsFirst = true,
        },
        Trailer("a request in a trailer's name", "a: 1\r\n\r\npost /x?", "HTTP/1.1"),
        Trailer("a space in a trailer's name", "x t", "1"),
        Trailer("a space before a trailer's name", " x", "1"),
        Trailer("a colon in a trailer's name", "x:t", "1"),
        Trailer("a parenthesis in a trailer's name", "x(", "1"),
        Trailer("an empty trailer name", "", "1"),
        Trailer("a line break in a trailer's value", "x", "1\r\nx-b: 2"),
        Trailer("a control character in a trailer's value", "x", "1\a"),
        Trailer("a blank before a trailer's value", "x", " 1"),
        new(
            "trailers that do not end the stream",
            [.. Frame(Headers, EndHeaders, 1, Post()), .. Frame(Headers, EndHeaders, 1, Block(("x-a", "b")))]
        )
        {
            IsInBody = true,
        },
        // RFC 9113 section 4 to 6, RFC 7541: broken frames
        new("an even stream", Frame(Headers, EndHeaders | EndStream, 2, Get())),
        new("stream 0", Frame(Headers, EndHeaders | EndStream, 0, Get())),
        new("data on an idle stream", Frame(Data, EndStream, 1, "hi"u8)),
        new("a reset of an idle stream", Frame(Reset, 0, 1, [0, 0, 0, 8])),
        new("a continuation without beginning", Frame(Continuation, EndHeaders, 1, Get())),
        new("a frame between headers and their continuation", [.. Frame(Headers, EndStream, 1, Get()), .. Frame(Ping, 0, 0, new byte[8])]),
        new("a frame beyond 16 KiB", Frame(Data, 0, 1, [], length: 20_000)),
        new("a PING of 7 bytes", Frame(Ping, 0, 0, new byte[7])),
        new("a PING on a stream", Frame(Ping, 0, 1, new byte[8])),
        new("SETTINGS of 5 bytes", Frame(Settings, 0, 0, new byte[5])),
        new("SETTINGS on a stream", Frame(Settings, 0, 1, [])),
        new("an acknowledgement of SETTINGS with content", Frame(Settings, Ack, 0, new byte[6])),
        new("a window of 2^31", Frame(Settings, 0, 0, [0, 4, 0x80, 0, 0, 0])),
        new("a frame size of 1", Frame(Settings, 0, 0, [0, 5, 0, 0, 0, 1])),
        new("ENABLE_PUSH of 2", Frame(Settings, 0, 0, [0, 2, 0, 0, 0, 2])),
        new("a WINDOW_UPDATE of 0", Frame(WindowUpdate, 0, 0, new byte[4])),
        new("a WINDOW_UPDATE beyond 2^31", Frame(WindowUpdate, 0, 0, [0x7f, 0xff, 0xff, 0xff])),
        new("a stream that depends on itself", Frame(Priority, 0, 1, [0, 0, 0, 1, 1])),
        new("padding longer than the frame", Frame(Headers, EndHeaders | EndStream | Padded, 1, [200, .. Get()])),
        new("an index beyond HPACK's table", Frame(Headers, EndHeaders | EndStream, 1, [0xff, 0xff, 0x03])),
        new("an HPACK integer without end", Frame(Headers, EndHeaders | EndStream, 1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        new("an HPACK string longer than the frame", Frame(Headers, EndHeaders | EndStream, 1, [0, 0x7e, (byte)'a'])),
        new("an HPACK table beyond its limit", Frame(Headers, EndHeaders | EndStream, 1, [0x3f, 0xff, 0xff, 0x7f, .. Get()])),
        new("a push promise", Frame(5, EndHeaders, 1, [0, 0, 0, 2])),
        new("an open frame of HTTP/1.1", "GET /s HTTP/1.1\r\nHost: t\r\n\r\n"u8.ToArray()),
    ];

    private static byte[] Post(params (string Name, string Value)[] more) =>
        Block([(":method", "POST"), (":scheme", "http"), (":path", "/s"), (":authority", "t"), .. more]);

    private static HostileFrame Head(string what, (string Name, string Value)[] more) => Whole(what, Get("/s", more));

    private static HostileFrame Whole(string what, byte[] block) => new(what, InFrames(block));

    private static HostileFrame Trailer(string what, string name, string value) =>
        new(
            what,
            [
                .. Frame(Headers, EndHeaders, 1, Post()),
                .. Frame(Data, 0, 1, "hello"u8),
                .. Frame(Headers, EndHeaders | EndStream, 1, Block((name, value))),
            ]
        )
        {
            IsInBody = true,
        };

    private static byte[] InFrames(byte[] block)
    {
        var all = new List<byte>();
        for (var i = 0; i < block.Length; i += 16_000)
            all.AddRange(
                Frame(
                    i == 0 ? Headers : Continuation,
                    (byte)((i == 0 ? EndStream : 0) | (i + 16_000 >= block.Length ? EndHeaders : 0)),
                    1,
                    block.AsSpan(i, Math.Min(16_000, block.Length - i))
                )
            );
        return [.. all];
    }
}

/// <summary>One line of the table.</summary>
/// <param name="What">What is wrong, in words.</param>
/// <param name="Bytes">Sent after the prefaces.</param>
internal sealed record HostileFrame(string What, byte[] Bytes)
{
    /// <summary>Whether the head is right, so that the service may have seen it before the body went wrong.</summary>
    public bool IsInBody { get; init; }

    /// <summary>
    /// Whether the gateway answers 400 to the head, or Kestrel ends the stream at its body: both arrived in one packet, and two threads
    /// read them. Separately, each outcome is deterministic.
    /// </summary>
    public bool IsRefusedByWhoIsFirst { get; init; }
}
