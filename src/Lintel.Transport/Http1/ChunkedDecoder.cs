using System.Runtime.InteropServices;
using System.Text;

namespace Lintel.Transport.Http1;

/// <summary>Decodes the chunks of a body (RFC 9112 section 7.1) incrementally, and keeps its trailers.</summary>
/// <remarks>
/// Strict: a size consists of hexadecimal digits only, lines end with CRLF, extensions start with a semicolon and consist of visible
/// characters. Extensions are ignored. Trailers are returned as received: the caller decides which of them may be forwarded.
/// </remarks>
internal sealed class ChunkedDecoder
{
    /// <summary>The maximum length of the size and extensions of one chunk; a longer line is an attack (CVE-2023-39326 in Go).</summary>
    private const int MaxExtension = 4096;

    private readonly List<ResponseField> _trailers = [];
    private readonly List<byte> _line = [];
    private int _maxTrailers;
    private int _taken;
    private int _lineLength;
    private ChunkExcess _excess;
    private long _left;
    private bool _hasDigits;
    private Stage _stage;

    /// <inheritdoc cref="Http1Options.AllowsBareLf"/>
    public bool AllowsBareLf { get; init; }

    private enum Stage
    {
        Size,
        Space,
        Extension,
        SizeEnd,
        Data,
        DataEnd,
        DataEndFeed,
        Trailer,
        Ended,
    }

    /// <summary>Whether the last chunk and the trailers have come.</summary>
    public bool HasEnded => _stage == Stage.Ended;

    /// <summary>The remaining bytes of the current chunk, which may bypass the decoder if <see cref="Skip"/> is called.</summary>
    public long DataLeft => _stage == Stage.Data ? _left : 0;

    public IReadOnlyList<ResponseField> Trailers => _trailers;

    public void Begin(int maxTrailers)
    {
        _maxTrailers = maxTrailers;
        _stage = Stage.Size;
        _hasDigits = false;
        _left = 0;
        _taken = _lineLength = 0;
        _excess = default;
        _trailers.Clear();
        _line.Clear();
    }

    /// <summary>Bytes of the chunk's data went another way.</summary>
    public void Skip(int count)
    {
        _left -= count;
        if (_left == 0)
            _stage = Stage.DataEnd;
    }

    /// <summary>Decodes as much as there is, and as there is room for.</summary>
    /// <returns>The number of bytes consumed and the number of bytes written.</returns>
    /// <exception cref="Http1Exception">The chunks are wrong.</exception>
    public (int Taken, int Written) Decode(ReadOnlySpan<byte> input, Span<byte> output)
    {
        var (taken, written) = (0, 0);
        while (taken < input.Length && _stage != Stage.Ended)
        {
            if (_stage != Stage.Data)
            {
                TakeFrame(input[taken++]);
                continue;
            }

            var count = (int)Math.Min(_left, Math.Min(input.Length - taken, output.Length - written));
            if (count == 0)
                break;
            input.Slice(taken, count).CopyTo(output[written..]);
            taken += count;
            written += count;
            Skip(count);
        }

        return (taken, written);
    }

    private void TakeFrame(byte b)
    {
        _lineLength++;
        if (b == '\n' && AllowsBareLf && EndsLine)
            TakeFrameByte((byte)'\r'); // the one that is missing
        TakeFrameByte(b);
    }

    /// <summary>Whether the line's carriage return may come next.</summary>
    private bool EndsLine => _stage is Stage.Space or Stage.Extension or Stage.DataEnd || (_stage == Stage.Size && _hasDigits);

    private void TakeFrameByte(byte b)
    {
        switch (_stage)
        {
            case Stage.Size:
                TakeSize(b);
                break;
            case Stage.Space:
                // RFC 9112 section 7.1.1: blanks may stand before the semicolon, and nothing else.
                if (b is (byte)'\r' or (byte)';')
                    _stage = b == '\r' ? Stage.SizeEnd : Stage.Extension;
                else if (b is not ((byte)' ' or (byte)'\t') || ++_taken > MaxExtension)
                    throw ResponseHead.Malformed("unexpected characters follow the chunk size");
                break;
            case Stage.Extension:
                if (b == '\r')
                    _stage = Stage.SizeEnd;
                else if ((b < 0x20 && b != '\t') || b == 0x7f || ++_taken > MaxExtension)
                    throw ResponseHead.Malformed("a chunk extension is malformed or too long");
                break;
            case Stage.SizeEnd:
                Expect(b, '\n');
                _taken = 0;
                CountExcess();
                _stage = _left > 0 ? Stage.Data : Stage.Trailer;
                break;
            case Stage.DataEnd:
                Expect(b, '\r');
                _stage = Stage.DataEndFeed;
                break;
            case Stage.DataEndFeed:
                Expect(b, '\n');
                _hasDigits = false;
                _lineLength = 0;
                _stage = Stage.Size;
                break;
            case Stage.Trailer:
                TakeTrailer(b);
                break;
        }
    }

    private void CountExcess()
    {
        if (!_excess.TryTake(_lineLength, _left))
            throw ResponseHead.Malformed("its chunks carry more framing than data");
    }

    private void TakeSize(byte b)
    {
        if (char.IsAsciiHexDigit((char)b))
        {
            // Sixty bits: no carry into the sign, and more than anybody will ever send.
            if (_left >> 56 != 0 || ++_taken > MaxExtension)
                throw ResponseHead.Malformed("the chunk size is too large");
            _left = (_left << 4) | (uint)HexValue(b);
            _hasDigits = true;
            return;
        }

        if (!_hasDigits || b is not ((byte)'\r' or (byte)';' or (byte)' ' or (byte)'\t'))
            throw ResponseHead.Malformed("the chunk size is not a hexadecimal number");
        _taken = 0;
        _stage = b switch
        {
            (byte)'\r' => Stage.SizeEnd,
            (byte)';' => Stage.Extension,
            _ => Stage.Space,
        };
    }

    private void TakeTrailer(byte b)
    {
        if (b != '\n')
        {
            if (++_taken > _maxTrailers)
                throw new Http1Exception(Http1Failure.HeadTooLarge, "The response trailers are too large.");
            _line.Add(b);
            return;
        }

        var line = CollectionsMarshal.AsSpan(_line);
        if (line is [.., (byte)'\r'])
            line = line[..^1];
        else if (!AllowsBareLf)
            throw ResponseHead.Malformed("a trailer line ends with a bare LF");
        if (line.IsEmpty)
        {
            _stage = Stage.Ended;
            return;
        }

        ResponseHead.Split(line, out var name, out var value);
        _trailers.Add(new ResponseField(Encoding.ASCII.GetString(name), Encoding.Latin1.GetString(value)));
        _line.Clear();
    }

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    private static void Expect(byte b, char expected)
    {
        if (b != expected)
            throw ResponseHead.Malformed("the chunk data does not match the chunk size");
    }
}
