using Lintel.Errors;
using Lintel.Transport.Http1;

namespace Lintel.Listeners.Framing;

/// <summary>
/// Validates a chunked body (RFC 9112 section 7.1) without modifying it: determines how far it is valid, where it ends, and whether it is
/// malformed.
/// </summary>
internal sealed class ChunkedCheck(HeadCheck head)
{
    /// <summary>
    /// Size and extensions of one chunk: sixteen digits and a signature fit; a sender of endless extensions around single bytes does not.
    /// </summary>
    public const int MaxSizeLine = 256;

    private Part _part;
    private long _left;
    private ChunkExcess _excess;

    private enum Part
    {
        Size,
        Data,
        DataEnd,
        Trailers,
        End,
    }

    public GatewayError? Refusal { get; private set; }

    public bool HasEnded => _part == Part.End;

    /// <summary>Whether lines come next, not data.</summary>
    public bool AwaitsLine => _part != Part.Data;

    public void Reset()
    {
        _part = Part.Size;
        _left = 0;
        _excess = default;
        Refusal = null;
    }

    /// <summary>Consumes chunk data.</summary>
    /// <returns>How many of the bytes belong to it.</returns>
    public long TakeData(long available)
    {
        var taken = Math.Min(available, _left);
        _left -= taken;
        if (_left == 0)
            _part = Part.DataEnd;
        return taken;
    }

    /// <summary>Checks a line without its line feed.</summary>
    /// <returns>False when it is refused.</returns>
    public bool TakeLine(ReadOnlySpan<byte> line)
    {
        switch (_part)
        {
            case Part.Size:
                return TakeSize(line);
            case Part.DataEnd:
                _part = Part.Size;
                return line is [(byte)'\r'] || Refuse("the chunk data does not match the chunk size");
            default:
                if (!head.TakeTrailer(line))
                    return true;
                _part = Part.End;
                return (Refusal = head.Refusal) is null;
        }
    }

    /// <summary>Whether an unfinished line is too long already.</summary>
    public bool ExceedsLimit(long length) =>
        _part switch
        {
            Part.Size => length > MaxSizeLine && !Refuse("the chunk size and extensions are too long"),
            Part.DataEnd => length > 1 && !Refuse("the chunk data does not match the chunk size"),
            _ => head.ExceedsLimit(length) && (Refusal = head.Refusal) is not null,
        };

    private bool Refuse(string detail)
    {
        Refusal = new GatewayError(GatewayErrorKind.BadFraming, detail);
        return false;
    }

    private bool TakeSize(ReadOnlySpan<byte> line)
    {
        if (line.Length > MaxSizeLine)
            return Refuse("the chunk size and extensions are too long");
        if (line.IsEmpty || line[^1] != '\r')
            return Refuse("a chunk size line ends with a bare LF");
        line = line[..^1];
        var digits = 0;
        long size = 0;
        while (digits < line.Length && char.IsAsciiHexDigit((char)line[digits]))
        {
            if (digits == 15) // sixteen digits could be negative for somebody
                return Refuse("a chunk is too large");
            size = (size << 4) | (uint)(line[digits] <= '9' ? line[digits] - '0' : (line[digits] | 0x20) - 'a' + 10);
            digits++;
        }

        if (digits == 0)
            return Refuse("the chunk size is not a hexadecimal number");
        if (!AreExtensions(line[digits..]))
            return Refuse("the chunk extensions are malformed");
        if (!_excess.TryTake(line.Length, size))
            return Refuse("the chunks carry more framing than data");
        _left = size;
        _part = size == 0 ? Part.Trailers : Part.Data;
        return true;
    }

    /// <summary>RFC 9112 section 7.1.1: any number of <c>; name</c>, <c>; name=token</c> and <c>; name="quoted"</c>.</summary>
    private static bool AreExtensions(ReadOnlySpan<byte> rest)
    {
        while (!rest.IsEmpty)
        {
            rest = rest.TrimStart(" \t"u8);
            if (rest.IsEmpty || rest[0] != ';')
                return false;
            rest = rest[1..].TrimStart(" \t"u8);
            if (!TakeToken(ref rest))
                return false;
            var after = rest.TrimStart(" \t"u8);
            if (after.IsEmpty || after[0] != '=')
                continue;
            rest = after[1..].TrimStart(" \t"u8);
            if (!(rest is [(byte)'"', ..] ? TakeQuoted(ref rest) : TakeToken(ref rest)))
                return false;
        }

        return true;
    }

    private static bool TakeToken(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOfAnyExcept(HeadCheck.Token);
        end = end < 0 ? rest.Length : end;
        rest = rest[end..];
        return end > 0;
    }

    private static bool TakeQuoted(ref ReadOnlySpan<byte> rest)
    {
        for (var i = 1; i < rest.Length; i++)
        {
            if (rest[i] == '"')
            {
                rest = rest[(i + 1)..];
                return true;
            }

            if (rest[i] == '\\')
                i++;
            if (i >= rest.Length || (rest[i] < 0x20 && rest[i] != '\t') || rest[i] == 0x7f)
                return false;
        }

        return false;
    }
}
