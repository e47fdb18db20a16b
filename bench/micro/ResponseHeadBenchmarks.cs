using BenchmarkDotNet.Attributes;
using Lintel.Transport.Http1;

namespace Lintel.Benchmarks;

/// <summary>
/// An answer's head, line by line, as <c>Http1Connection</c> takes it: the same connection again and again, where one line differs each
/// time.
/// </summary>
public class ResponseHeadBenchmarks
{
    private static readonly byte[] Nginx = Bytes(
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 10:11:12 GMT\r\nContent-Type: "
            + "application/json\r\nContent-Length: 119\r\nConnection: keep-alive\r\n\r\n"
    );

    private static readonly byte[][] Microservice =
    [
        Bytes(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nDate: Mon, 23 Nov 2026 10:11:12 GMT\r\nServer: "
                + "Kestrel\r\nCache-Control: private, max-age=30\r\nETag: \"33a64df551425fcc\"\r\nVary: "
                + "Accept-Encoding\r\nTransfer-Encoding: chunked\r\nX-Request-Id: 5f0c6a1e7b2d\r\n\r\n"
        ),
        Bytes(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nDate: Mon, 23 Nov 2026 10:11:13 GMT\r\nServer: "
                + "Kestrel\r\nCache-Control: private, max-age=30\r\nETag: \"b7ad6b7169203331\"\r\nVary: "
                + "Accept-Encoding\r\nTransfer-Encoding: chunked\r\nX-Request-Id: 9c31de40aa17\r\n\r\n"
        ),
    ];

    private readonly ResponseHead _head = new();
    private int _turn;

    [Benchmark(Baseline = true)]
    public int SameHeadAgain() => Take(Nginx);

    /// <summary>Three of eight fields have another value than the last time.</summary>
    [Benchmark]
    public int HeadWithNewValues() => Take(Microservice[_turn++ & 1]);

    private static byte[] Bytes(string text) => System.Text.Encoding.ASCII.GetBytes(text);

    private int Take(ReadOnlySpan<byte> bytes)
    {
        _head.Clear();
        while (bytes.IndexOf((byte)'\n') is >= 0 and var end)
        {
            if (_head.Take(bytes[..end]))
                return _head.Count;
            bytes = bytes[(end + 1)..];
        }

        throw new InvalidOperationException("the head has no end");
    }
}
