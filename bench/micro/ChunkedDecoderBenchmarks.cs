using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Lintel.Transport.Http1;

namespace Lintel.Benchmarks;

/// <summary>64 KiB in chunks of one size, read in pieces of 16 KiB as they arrive from a socket.</summary>
public class ChunkedDecoderBenchmarks
{
    private const int Body = 64 * 1024;
    private const int Piece = 16 * 1024;

    private readonly ChunkedDecoder _decoder = new();
    private readonly byte[] _output = new byte[Piece];
    private byte[] _input = [];

    /// <summary>16 bytes: events; 4 KiB: what frameworks flush; 64 KiB: one chunk.</summary>
    [Params(16, 4096, 65536)]
    public int Chunk { get; set; }

    [GlobalSetup]
    public void Encode()
    {
        var text = new StringBuilder();
        for (var left = Body; left > 0; left -= Chunk)
            text.Append(CultureInfo.InvariantCulture, $"{Chunk:x}\r\n").Append('x', Chunk).Append("\r\n");
        _input = Encoding.ASCII.GetBytes(text.Append("0\r\n\r\n").ToString());
    }

    [Benchmark]
    public int Decode()
    {
        _decoder.Begin(maxTrailers: 4096);
        var total = 0;
        for (var at = 0; at < _input.Length; )
        {
            var (taken, written) = _decoder.Decode(_input.AsSpan(at, Math.Min(Piece, _input.Length - at)), _output);
            at += taken;
            total += written;
        }

        return _decoder.HasEnded && total == Body ? total : throw new InvalidOperationException($"{total} bytes of {Body}");
    }
}
