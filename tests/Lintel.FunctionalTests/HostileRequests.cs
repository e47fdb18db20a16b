namespace Lintel.FunctionalTests;

/// <summary>
/// The table of hostile HTTP/1.1 requests with their expected answers. <c>docs/hostile-requests.md</c> is generated from it.
/// </summary>
internal static class HostileRequests
{
    private const string Framing = "bad-framing";

    /// <summary>A request that must not be found behind another one.</summary>
    private const string Smuggled = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n";

    public static IReadOnlyList<HostileRequest> All { get; } =
    [.. Lengths(), .. Codings(), .. Chunks(), .. Lines(), .. Hosts(), .. Targets(), .. Sizes()];

    private static IEnumerable<HostileRequest> Lengths()
    {
        const string Group = "Lengths";
        yield return Post(
            Group,
            "Content-Length and Transfer-Encoding",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n" + Smuggled
        );
        yield return Post(
            Group,
            "Transfer-Encoding and Content-Length, the other way round",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "0\r\n\r\n" + Smuggled
        );
        yield return Post(Group, "two Content-Lengths that differ", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!");
        yield return Post(Group, "two Content-Lengths that agree", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello");
        yield return Post(Group, "a list of lengths", "Content-Length: 5, 5\r\n", "hello");
        yield return Post(Group, "a signed length", "Content-Length: +5\r\n", "hello");
        yield return Post(Group, "a negative length", "Content-Length: -5\r\n", "hello");
        yield return Post(Group, "a hexadecimal length", "Content-Length: 0x5\r\n", "hello");
        yield return Post(Group, "an empty length", "Content-Length:\r\n", "");
        yield return Post(Group, "a length with a space in it", "Content-Length: 1 2\r\n", "hello");
        yield return Post(Group, "a length with a fraction", "Content-Length: 5.0\r\n", "hello");
        yield return Post(Group, "a length beyond 64 bits", "Content-Length: 99999999999999999999\r\n", "hello");
    }

    private static IEnumerable<HostileRequest> Codings()
    {
        const string Group = "Transfer codings";
        yield return Post(Group, "an unknown coding", "Transfer-Encoding: gzip\r\n", "0\r\n\r\n");
        yield return Post(Group, "a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n");
        yield return Post(Group, "chunked before another coding", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n");
        yield return Post(Group, "chunked twice in one line", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n");
        yield return Post(Group, "chunked in two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n");
        yield return Post(Group, "identity", "Transfer-Encoding: identity\r\n", "0\r\n\r\n");
        yield return Post(Group, "a misspelt coding", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n");
        yield return Post(Group, "quotes around the coding", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n");
        yield return Post(Group, "a parameter of chunked", "Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n");
        yield return Post(Group, "a vertical tab before chunked", "Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n");
        yield return Post(Group, "an empty coding", "Transfer-Encoding:\r\n", "0\r\n\r\n");
        yield return new(
            Group,
            "chunked in HTTP/1.0",
            "POST /s HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            Framing
        );
        yield return Post(Group, "a space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n");
    }

    private static IEnumerable<HostileRequest> Chunks()
    {
        const string Group = "Chunks";
        yield return Chunked(Group, "a size that is no number", "x\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "an empty size", "\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a signed size", "+5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a negative size", "-5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a size beyond 63 bits", "8000000000000000\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a space before the size", " 5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a space after the size", "5 \r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a bare line feed after the size", "5\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a bare carriage return after the size", "5\rhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "data longer than its size", "5\r\nhello!\r\n0\r\n\r\n");
        yield return Chunked(Group, "data that ends with a bare line feed", "5\r\nhello\n0\r\n\r\n");
        yield return Chunked(Group, "data that ends with other bytes", "5\r\nhelloXX0\r\n\r\n");
        yield return Chunked(Group, "an extension without a name", "5;\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "an extension with a control character", "5;a=\u0001\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "an extension with an open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "an extension with a bare line feed", "5;a=b\nc\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "extensions beyond 256 bytes", "5;" + new string('a', 300) + "\r\nhello\r\n0\r\n\r\n");
        yield return Chunked(Group, "a trailer without a colon", "0\r\ntrailer\r\n\r\n");
        yield return Chunked(Group, "a trailer with a space before the colon", "0\r\nX-A : b\r\n\r\n");
        yield return Chunked(Group, "a folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n");
        yield return Chunked(Group, "a trailer that ends with a bare line feed", "0\r\nX-A: b\n\r\n");
        yield return Chunked(Group, "Content-Length as a trailer", "0\r\nContent-Length: 5\r\n\r\n");
        yield return Chunked(Group, "Transfer-Encoding as a trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\n");
        yield return Chunked(Group, "Host as a trailer", "0\r\nHost: evil\r\n\r\n");
    }

    private static IEnumerable<HostileRequest> Lines()
    {
        const string Group = "Lines and names";
        yield return Get(Group, "a folded header", "X-A: b\r\n c\r\n");
        yield return Get(Group, "a header folded with a tab", "X-A: b\r\n\tc\r\n");
        yield return new(Group, "a space before the first header", "GET /s HTTP/1.1\r\n Host: t\r\n\r\n", 400, Framing);
        yield return Get(Group, "a bare carriage return in a value", "X-A: b\rX-B: c\r\n");
        yield return Get(Group, "a NUL in a value", "X-A: b\0c\r\n");
        yield return Get(Group, "another control character in a value", "X-A: b\u0001c\r\n");
        yield return Get(Group, "a header that ends with a bare line feed", "X-A: b\n");
        yield return new(Group, "a request line that ends with a bare line feed", "GET /s HTTP/1.1\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "only bare line feeds", "GET /s HTTP/1.1\nHost: t\n\n", 400, Framing);
        yield return Get(Group, "a space before the colon", "X-A : b\r\n");
        yield return Get(Group, "a tab before the colon", "X-A\t: b\r\n");
        yield return Get(Group, "a space within a name", "X A: b\r\n");
        yield return Get(Group, "an empty name", ": b\r\n");
        yield return Get(Group, "no colon", "X-A\r\n");
        yield return Get(Group, "a NUL in a name", "X\0A: b\r\n");
        yield return Get(Group, "a slash in a name", "X/A: b\r\n");
        yield return Get(Group, "a byte above ASCII in a name", "X-Ä: b\r\n");
        yield return new(Group, "a method in small letters", "get /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a method in mixed letters", "Get /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a method that is no token", "G@T /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "no method", " /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "no version (HTTP/0.9)", "GET /s\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "HTTP/2.0 in a request line", "GET /s HTTP/2.0\r\nHost: t\r\n\r\n", 505, "version-not-supported");
        yield return new(Group, "HTTP/1.2", "GET /s HTTP/1.2\r\nHost: t\r\n\r\n", 505, "version-not-supported");
        yield return new(Group, "HTTP/1.10", "GET /s HTTP/1.10\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "http/1.1 in small letters", "GET /s http/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a space after the version", "GET /s HTTP/1.1 \r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a tab between method and target", "GET\t/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "two spaces between method and target", "GET  /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(
            Group,
            "the beginning of a TLS handshake",
            "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\r\n\r\n",
            400,
            Framing
        );
        yield return new(Group, "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version-not-supported");
    }

    private static IEnumerable<HostileRequest> Hosts()
    {
        const string Group = "Host";
        yield return new(Group, "no Host", "GET /s HTTP/1.1\r\n\r\n", 400, Framing);
        yield return new(Group, "two Hosts", "GET /s HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n", 400, Framing);
        yield return new(Group, "two equal Hosts", "GET /s HTTP/1.1\r\nHost: t\r\nHost: t\r\n\r\n", 400, Framing);
        foreach (
            var host in new[]
            {
                "",
                "a b",
                "a/b",
                "a@b",
                "a,b",
                "%61",
                "a:b",
                "a:99999",
                ":",
                "a::",
                "[::1",
                "[::g]",
                "::1",
                "[fe80::1%25eth0]",
                "a\u0001",
                "a?b",
                "a#b",
                "<a>",
                "ä",
            }
        )
            yield return new(Group, $"Host: {Show(host)}", $"GET /s HTTP/1.1\r\nHost: {host}\r\n\r\n", 400, Framing);
    }

    private static IEnumerable<HostileRequest> Targets()
    {
        const string Group = "Targets";
        yield return new(Group, "CONNECT with an authority", "CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n", 400, Framing);
        yield return new(Group, "CONNECT with a path", "CONNECT /s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "GET with an authority", "GET t:80 HTTP/1.1\r\nHost: t:80\r\n\r\n", 400, Framing);
        yield return new(Group, "GET *", "GET * HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a target without a slash", "GET s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "another host in the target than in Host", "GET http://u/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(
            Group,
            "another spelling of the host in the target than in Host",
            "GET http://T/s HTTP/1.1\r\nHost: t\r\n\r\n",
            400,
            Framing
        );
        yield return new(Group, "a scheme in capitals", "GET HTTP://t/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a target with user and password", "GET http://a:b@t/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a target whose host is no name", "GET http://./s HTTP/1.1\r\nHost: .\r\n\r\n", 400, Framing);
        yield return new(Group, "a target whose host is no name, without Host", "GET http://./s HTTP/1.0\r\n\r\n", 400, Framing);
        yield return new(
            Group,
            "a host in an unusual spelling in both target and Host",
            "GET http://0x7f.1/s HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n",
            400,
            Framing
        );
        yield return new(Group, "a target without host", "GET http:///s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a target with another scheme", "GET ftp://t/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a fragment", "GET /s#part HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a space in the target", "GET /s s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a control character in the target", "GET /s\u0001 HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "a byte above ASCII in the target", "GET /ä HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
        yield return new(Group, "an escaped NUL in the path", "GET /s/%00 HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target");
        yield return new(Group, "an escape that is none", "GET /s/%zz HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target", Closes: false);
        yield return new(Group, "dots above the root", "GET /s/../../x HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target", Closes: false);
        yield return new(
            Group,
            "escaped dots above the root",
            "GET /s/%2e%2e/%2e%2e/x HTTP/1.1\r\nHost: t\r\n\r\n",
            400,
            "bad-target",
            Closes: false
        );
        yield return new(Group, "escapes that are not UTF-8", "GET /s/%ff HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target", Closes: false);
        yield return new(Group, "an escaped slash", "GET /s/a%2Fb HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target", Closes: false);
        yield return new(Group, "an escaped line break", "GET /s/a%0d%0ab HTTP/1.1\r\nHost: t\r\n\r\n", 400, "bad-target", Closes: false);
        yield return new(Group, "TRACE", "TRACE /s HTTP/1.1\r\nHost: t\r\n\r\n", 405, "method-not-allowed", Closes: false);
        yield return new(
            Group,
            "https in the target of a plain connection",
            "GET https://t/s HTTP/1.1\r\nHost: t\r\n\r\n",
            421,
            "misdirected",
            Closes: false
        );
        yield return new(Group, "another port in the target than in Host", "GET http://t:81/s HTTP/1.1\r\nHost: t\r\n\r\n", 400, Framing);
    }

    private static IEnumerable<HostileRequest> Sizes()
    {
        const string Group = "Sizes";
        yield return new(
            Group,
            "a request line of 9 KB",
            $"GET /s/{new string('a', 9000)} HTTP/1.1\r\nHost: t\r\n\r\n",
            414,
            "target-too-long"
        );
        yield return new(Group, "a method of 9 KB", $"{new string('A', 9000)} /s HTTP/1.1\r\nHost: t\r\n\r\n", 501, "unknown-method");
        yield return new(Group, "a request line without end", $"GET /s/{new string('a', 70000)}", 414, "target-too-long");
        yield return Get(Group, "headers of 40 KB", $"X-A: {new string('a', 40000)}\r\n", 431, "head-too-large");
        yield return Get(Group, "101 headers", string.Concat(Enumerable.Range(0, 100).Select(i => $"X-{i}: b\r\n")), 431, "head-too-large");
        yield return Chunked(Group, "trailers of 40 KB", $"0\r\nX-A: {new string('a', 40000)}\r\n\r\n", 431, "head-too-large");
        yield return Post(Group, "a body longer than the route takes", "Content-Length: 2000\r\n", new string('a', 2000)) with
        {
            Status = 413,
            Slug = "body-too-large",
        };
        yield return Chunked(
            Group,
            "a chunked body longer than the route takes",
            $"7d0\r\n{new string('a', 2000)}\r\n0\r\n\r\n",
            413,
            "body-too-large"
        );
    }

    private static HostileRequest Get(string group, string what, string headers, int status = 400, string slug = Framing) =>
        new(group, what, $"GET /s HTTP/1.1\r\nHost: t\r\n{headers}\r\n", status, slug);

    private static HostileRequest Post(string group, string what, string headers, string body) =>
        new(group, what, $"POST /s HTTP/1.1\r\nHost: t\r\n{headers}\r\n{body}", 400, Framing);

    private static HostileRequest Chunked(string group, string what, string body, int status = 400, string slug = Framing) =>
        new(group, what, $"POST /s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n{body}", status, slug) { IsInBody = true };

    private static string Show(string text) =>
        text.Length == 0 ? "(empty)" : string.Concat(text.Select(c => c < ' ' ? $"\\x{(int)c:x2}" : c.ToString()));
}

/// <summary>One line of the table.</summary>
/// <param name="Group">The chapter.</param>
/// <param name="What">What is wrong, in words.</param>
/// <param name="Bytes">What is sent, a character a byte.</param>
/// <param name="Status">The answer's status.</param>
/// <param name="Slug">The last part of the problem's type.</param>
/// <param name="Closes">Whether the connection closes after the answer.</param>
internal sealed record HostileRequest(string Group, string What, string Bytes, int Status, string Slug, bool Closes = true)
{
    /// <summary>Whether the head is right, so that the service may have seen it before the body went wrong.</summary>
    public bool IsInBody { get; init; }

    public override string ToString() => $"{Group}: {What}";
}
