using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Transport.Http1;

/// <summary>A field of a response head.</summary>
/// <param name="Name">As it was written.</param>
/// <param name="Value">Without the white space around it; bytes above ASCII as Latin-1.</param>
public readonly record struct ResponseField(string Name, string Value);

/// <summary>How the end of a response body is determined.</summary>
public enum BodyEnd
{
    /// <summary>There is no body.</summary>
    None,

    /// <summary>After <see cref="ResponseHead.ContentLength"/> bytes.</summary>
    Length,

    /// <summary>With the last chunk.</summary>
    LastChunk,

    /// <summary>With the connection.</summary>
    Connection,
}

/// <summary>A response head. One object is reused for the lifetime of a connection and describes the last head.</summary>
/// <remarks>
/// A server tends to write the same fields in the same order again and again: a line that is the same as the one in its place the last time
/// gives the same strings, and nothing is allocated (of nginx's five lines four).
/// </remarks>
public sealed class ResponseHead
{
    // RFC 9110 sections 5.6.2 and 5.5.
    private static readonly SearchValues<byte> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8
    );
    private static readonly SearchValues<byte> Control = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Where(b => b != '\t').Select(b => (byte)b),
        0x7f,
    ]);

    private const int MostLinesKept = 128;

    private Line[] _lines = new Line[16];
    private bool _hasTransferEncoding;
    private bool _hasStatus;
    private Options _options;

    /// <inheritdoc cref="Http1Options.AllowsBareLf"/>
    internal bool AllowsBareLf { get; init; }

    /// <inheritdoc cref="Http1Options.AllowsEqualLengths"/>
    internal bool AllowsEqualLengths { get; init; }

    /// <summary>The status code, 100 to 999.</summary>
    public int Status { get; private set; }

    /// <summary>Whether the server speaks HTTP/1.0.</summary>
    public bool IsHttp10 { get; private set; }

    /// <summary>How many fields there are.</summary>
    public int Count { get; private set; }

    /// <summary>The body length; -1 if there is none.</summary>
    public long ContentLength { get; private set; } = -1;

    /// <summary>Whether the body is chunked.</summary>
    public bool IsChunked => _hasTransferEncoding;

    /// <summary>The reason phrase if it is not the standard one; otherwise <see langword="null"/>.</summary>
    public string? Reason { get; private set; }

    /// <summary>Whether a status without a body has the framing of a body: the bytes that follow may be that body.</summary>
    public bool FramesNothing => Status is < 200 or 204 && (ContentLength > 0 || _hasTransferEncoding);

    /// <summary>Whether the server keeps the connection open after a body with explicit framing.</summary>
    public bool KeepsAlive => (_options & Options.Close) == 0 && (!IsHttp10 || (_options & Options.KeepAlive) != 0);

    /// <summary>Whether <c>Connection</c> names fields that belong to the connection, besides <c>close</c> and <c>keep-alive</c>.</summary>
    public bool NominatesFields => (_options & Options.Others) != 0;

    /// <summary>A field, in the order of the head.</summary>
    public ResponseField this[int index] => _lines[index].Field;

    internal void Clear()
    {
        // One head of thousands of fields is not worth keeping for the connection's life.
        if (_lines.Length > MostLinesKept)
            _lines = new Line[16];
        Count = 0;
        Status = 0;
        ContentLength = -1;
        IsHttp10 = _hasTransferEncoding = _hasStatus = false;
        _options = Options.None;
    }

    /// <summary>How the end of the body of this response is determined.</summary>
    internal BodyEnd EndOfBody(bool isHead)
    {
        if (isHead || Status is < 200 or 204 or 304)
            return BodyEnd.None;
        if (_hasTransferEncoding)
            return BodyEnd.LastChunk;
        return ContentLength switch
        {
            0 => BodyEnd.None,
            > 0 => BodyEnd.Length,
            _ => BodyEnd.Connection,
        };
    }

    /// <summary>Parses the next line, without its line feed.</summary>
    /// <returns>True with the empty line that ends the head.</returns>
    /// <exception cref="Http1Exception">It is wrong.</exception>
    internal bool Take(ReadOnlySpan<byte> line)
    {
        if (line is [.., (byte)'\r'])
            line = line[..^1];
        else if (!AllowsBareLf)
            throw Malformed("a line of its head ends with a bare LF");
        if (!_hasStatus)
        {
            TakeStatusLine(line);
            return false;
        }

        if (!line.IsEmpty)
        {
            TakeField(line);
            return false;
        }

        // RFC 9112 section 6.3: either is a sign of smuggling.
        if (_hasTransferEncoding && (ContentLength >= 0 || IsHttp10))
            throw Malformed(IsHttp10 ? "HTTP/1.0 does not allow Transfer-Encoding" : "it has both Content-Length and Transfer-Encoding");
        return true;
    }

    internal static Http1Exception Malformed(string what) => new(Http1Failure.Malformed, "The response is malformed: " + what + ".");

    /// <summary>Splits a field's line, of a head or of a trailer section.</summary>
    internal static void Split(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        if (line[0] is (byte)' ' or (byte)'\t')
            throw Malformed("a field line is folded (obs-fold)");
        var colon = line.IndexOf((byte)':');
        if (colon <= 0)
            throw Malformed("a field name is not a token");
        name = line[..colon].TrimEnd(" \t"u8); // RFC 9112 section 5.1: a proxy removes blanks before the colon of a response's field
        if (name.IsEmpty || name.ContainsAnyExcept(Token))
            throw Malformed("a field name is not a token");
        value = line[(colon + 1)..].Trim(" \t"u8);
        if (value.ContainsAny(Control))
            throw Malformed("a field value contains a control character");
    }

    private void TakeStatusLine(ReadOnlySpan<byte> line)
    {
        // HTTP/1.1 200 OK; the reason may be missing, and the space before it. A later HTTP/1.x is read as 1.1 (RFC 9110 section 6.2).
        if (
            line.Length < 12
            || !line.StartsWith("HTTP/1."u8)
            || !char.IsAsciiDigit((char)line[7])
            || line[8] != ' '
            || (line.Length > 12 && line[12] != ' ')
            || line[12..].ContainsAny(Control)
        )
            throw Malformed("its status line is not valid HTTP/1.1");
        IsHttp10 = line[7] == '0';
        var digits = line.Slice(9, 3);
        if (digits.ContainsAnyExceptInRange((byte)'0', (byte)'9') || digits[0] == '0')
            throw Malformed("its status code is not a number");
        Status = ((digits[0] - '0') * 100) + ((digits[1] - '0') * 10) + (digits[2] - '0');
        Reason = ReasonOf(line[12..].Trim(" \t"u8));
        _hasStatus = true;
    }

    private string? ReasonOf(ReadOnlySpan<byte> text)
    {
        if (text.SequenceEqual("OK"u8) || text.IsEmpty || Ascii.Equals(text, ReasonPhrases.GetReasonPhrase(Status)))
            return null;
        return Encoding.Latin1.GetString(text);
    }

    private void TakeField(ReadOnlySpan<byte> text)
    {
        if (Count == _lines.Length)
            Array.Resize(ref _lines, Count * 2);
        ref var line = ref _lines[Count++];
        if (!line.Is(text))
        {
            Split(text, out var name, out var value);

            // A date, and often a length, changes under the name that stood here the last time.
            var known = line.Field.Name is { } before && Ascii.Equals(name, before) ? before : null;
            var meaning = known is null ? MeaningOf(name) : line.KnownField;
            if (meaning == KnownField.ContentLength && ContentLength >= 0 && !AllowsEqualLengths)
                throw Malformed("duplicate Content-Length"); // whatever the second one says
            if (meaning == KnownField.ContentLength && AllowsEqualLengths)
                value = OneOf(value);
            line = new Line(text, new ResponseField(known ?? NameOf(name), Encoding.Latin1.GetString(value)), meaning);
        }

        if (line.KnownField != KnownField.None)
            ApplyField(line);
    }

    private void ApplyField(in Line line)
    {
        switch (line.KnownField)
        {
            case KnownField.ContentLength:
                if (ContentLength < 0)
                    ContentLength = line.Length;
                else if (AllowsEqualLengths && ContentLength == line.Length)
                    Count--; // one of them is passed on
                else
                    throw Malformed(AllowsEqualLengths ? "conflicting Content-Length values" : "duplicate Content-Length");
                break;
            case KnownField.TransferEncoding:
                if (_hasTransferEncoding)
                    throw Malformed("its Transfer-Encoding is not `chunked`");
                _hasTransferEncoding = true;
                break;
            case KnownField.Connection:
                _options |= line.Options;
                break;
        }
    }

    /// <summary>One of a list of equal lengths, which may combine several fields.</summary>
    private static ReadOnlySpan<byte> OneOf(ReadOnlySpan<byte> value)
    {
        var first = value;
        var isFirst = true;
        foreach (var range in value.Split((byte)','))
        {
            var length = value[range].Trim(" \t"u8);
            if (!isFirst && !length.SequenceEqual(first))
                throw Malformed("conflicting Content-Length values");
            first = length;
            isFirst = false;
        }

        return first;
    }

    private static KnownField MeaningOf(ReadOnlySpan<byte> name) =>
        name.Length switch
        {
            10 when Ascii.EqualsIgnoreCase(name, "Connection"u8) => KnownField.Connection,
            14 when Ascii.EqualsIgnoreCase(name, "Content-Length"u8) => KnownField.ContentLength,
            17 when Ascii.EqualsIgnoreCase(name, "Transfer-Encoding"u8) => KnownField.TransferEncoding,
            _ => KnownField.None,
        };

    /// <summary>
    /// Common names in their canonical spelling are interned, so that comparisons by reference, as in Kestrel's header table, succeed
    /// immediately.
    /// </summary>
    private static string NameOf(ReadOnlySpan<byte> name)
    {
        var text = Encoding.ASCII.GetString(name);
        return string.IsInterned(text) ?? text;
    }

    private enum KnownField : byte
    {
        None,
        ContentLength,
        TransferEncoding,
        Connection,
    }

    [Flags]
    private enum Options : byte
    {
        None = 0,
        Close = 1,
        KeepAlive = 2,
        Others = 4,
    }

    /// <summary>A parsed line.</summary>
    private readonly struct Line
    {
        /// <summary>Cookies and policies that fill pages are not worth keeping.</summary>
        private const int LongestKept = 256;

        public readonly ResponseField Field;
        public readonly KnownField KnownField;
        public readonly Options Options;
        public readonly long Length;
        private readonly byte[]? _text;

        public Line(ReadOnlySpan<byte> text, ResponseField field, KnownField meaning)
        {
            Field = field;
            KnownField = meaning;
            switch (meaning)
            {
                case KnownField.ContentLength:
                    Length = LengthOf(field.Value);
                    break;
                case KnownField.TransferEncoding when !field.Value.Equals("chunked", StringComparison.OrdinalIgnoreCase):
                    throw Malformed("its Transfer-Encoding is not `chunked`");
                case KnownField.Connection:
                    Options = OptionsOf(field.Value);
                    break;
            }

            _text = text.Length <= LongestKept ? text.ToArray() : null;
        }

        public bool Is(ReadOnlySpan<byte> text) => _text is not null && text.SequenceEqual(_text);

        private static long LengthOf(ReadOnlySpan<char> value)
        {
            if (
                value.IsEmpty
                || value.ContainsAnyExceptInRange('0', '9')
                || !long.TryParse(value, System.Globalization.NumberStyles.None, null, out var length)
            )
                throw Malformed("Content-Length is not a number");
            return length;
        }

        private static Options OptionsOf(ReadOnlySpan<char> value)
        {
            var options = Options.None;
            foreach (var range in value.Split(','))
            {
                var option = value[range].Trim();
                if (option.Equals("close", StringComparison.OrdinalIgnoreCase))
                    options |= Options.Close;
                else if (option.Equals("keep-alive", StringComparison.OrdinalIgnoreCase))
                    options |= Options.KeepAlive;
                else if (!option.IsEmpty)
                    options |= Options.Others;
            }

            return options;
        }
    }
}
