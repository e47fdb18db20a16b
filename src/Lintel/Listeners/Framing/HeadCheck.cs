using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Listeners.Framing;

/// <summary>
/// Parses a request head line by line and determines the framing of its body, or the reason why it is refused as ambiguous.
/// </summary>
/// <remarks>Stricter than RFC 9112 where the RFC allows it, comparable with nginx. One per connection, reused for each request.</remarks>
internal sealed class HeadCheck(ListenerLimitsConfig limits)
{
    // RFC 9110 section 5.6.2
    internal static readonly SearchValues<byte> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8
    );

    // Methods are case-sensitive, and all registered ones are capitals: `get` is a mistake or a probe (nginx refuses it too).
    private static readonly SearchValues<byte> Method = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"u8);

    // Visible ASCII but for the fragment's sign, which no request carries (RFC 9112 section 3.2).
    private static readonly SearchValues<byte> Target = SearchValues.Create([
        .. Enumerable.Range(0x21, 0x7f - 0x21).Where(b => b != '#').Select(b => (byte)b),
    ]);

    // RFC 9110 section 5.5: CR, LF and NUL must be refused or replaced; the other controls have no business here either.
    private static readonly SearchValues<byte> Control = SearchValues.Create([
        .. Enumerable.Range(0, 0x20).Where(b => b != '\t').Select(b => (byte)b),
        0x7f,
    ]);

    // RFC 3986 section 3.2.2 allows more; no name in DNS has it, and some readers make a list of it.
    private int _lines;
    private int _size;
    private bool _isHttp10;
    private bool _hasTransferEncoding;
    private bool _hasConnectionUpgrade;
    private bool _hasUpgrade;
    private byte[]? _authority;
    private Uri? _absolute;
    private byte[]? _host;
    private string? _connection;

    /// <summary>Why the request is refused; <see langword="null"/> as long as nothing is wrong.</summary>
    public GatewayError? Refusal { get; private set; }

    /// <summary>The body length in bytes; -1 if there is none.</summary>
    public long ContentLength { get; private set; } = -1;

    public bool IsChunked => _hasTransferEncoding;

    public bool HasBody => _hasTransferEncoding || ContentLength > 0;

    /// <summary>The <c>Connection</c> header if it names headers; otherwise <see langword="null"/>.</summary>
    public string? Nominations => _connection;

    /// <summary>The scheme of a target in absolute-form; else <see langword="null"/>.</summary>
    public string? Scheme => _absolute?.Scheme;

    /// <summary>Valid parts of the head that Kestrel would refuse; see <see cref="HeadBytes.Rewrite"/>.</summary>
    public HeadRewrite Rewrite { get; private set; }

    public void Reset()
    {
        _lines = 0;
        _size = 0;
        _isHttp10 = false;
        _hasTransferEncoding = false;
        _hasConnectionUpgrade = false;
        _hasUpgrade = false;
        _authority = null;
        _absolute = null;
        _host = null;
        _connection = null;
        Refusal = null;
        Rewrite = HeadRewrite.None;
        ContentLength = -1;
    }

    /// <summary>Parses the next line.</summary>
    /// <param name="line">The line without its line feed, but with the required carriage return.</param>
    /// <returns>True when the head is complete or refused.</returns>
    public bool Take(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty || line[^1] != '\r')
            return Refuse("a header line ends with a bare LF");
        line = line[..^1];
        if (_lines == 0)
        {
            _lines = 1;
            return TakeRequestLine(line);
        }

        _size += line.Length + 2;
        if (_size > limits.Headers)
            return TooLarge();
        return line.IsEmpty ? Finish() : TakeHeader(line);
    }

    /// <summary>Parses a line of the trailer section; an empty line ends it.</summary>
    /// <returns>True when the section is complete or refused.</returns>
    public bool TakeTrailer(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty || line[^1] != '\r')
            return Refuse("a trailer line ends with a bare LF");
        line = line[..^1];
        _size += line.Length + 2;
        if (_size > limits.Headers)
            return TooLarge();
        if (line.IsEmpty)
            return true;
        if (Split(line, out var name, out _))
            return true;

        // RFC 9110 section 6.5.1: what frames or routes a message cannot come after it.
        return Is(name, "content-length"u8) || Is(name, "transfer-encoding"u8) || Is(name, "host"u8) || Is(name, "connection"u8)
            ? Refuse("the trailers contain a header that frames the message")
            : Counted();
    }

    /// <summary>Whether an unfinished line is too long already.</summary>
    public bool ExceedsLimit(long length)
    {
        if (_lines == 0 && length > limits.RequestLine + 2)
            return Refuse(GatewayErrorKind.TargetTooLong, null);
        return length + _size > Math.Max(limits.Headers, limits.RequestLine) + 2 && TooLarge();
    }

    public bool TooLarge() => Refuse(GatewayErrorKind.HeadTooLarge, null);

    private bool Refuse(string detail) => Refuse(GatewayErrorKind.BadFraming, detail);

    private bool Refuse(GatewayErrorKind kind, string? detail)
    {
        Refusal = new GatewayError(kind, detail);
        return true;
    }

    private bool Counted() => ++_lines > limits.HeaderCount + 1 && TooLarge();

    private bool TakeRequestLine(ReadOnlySpan<byte> line)
    {
        if (line.Length > limits.RequestLine)
            return Refuse(GatewayErrorKind.TargetTooLong, null);
        var first = line.IndexOf((byte)' ');
        var last = line.LastIndexOf((byte)' ');
        if (first <= 0 || last == first)
            return Refuse("the request line is not METHOD TARGET VERSION");
        var method = line[..first];
        var target = line[(first + 1)..last];
        var version = line[(last + 1)..];
        if (method.ContainsAnyExcept(Method))
            return Refuse("the method does not consist of upper-case letters");
        if (target.IsEmpty || target.ContainsAnyExcept(Target))
            return Refuse("the request target contains a character that must be percent-encoded");
        _isHttp10 = version.SequenceEqual("HTTP/1.0"u8);
        if (!_isHttp10 && !version.SequenceEqual("HTTP/1.1"u8))
            return IsVersion(version)
                ? Refuse(GatewayErrorKind.VersionNotSupported, null)
                : Refuse("the version is not HTTP/1.1 or HTTP/1.0");
        return CheckForm(method, target);
    }

    /// <summary>RFC 9112 section 3.2: the form of the target that each method requires.</summary>
    private bool CheckForm(ReadOnlySpan<byte> method, ReadOnlySpan<byte> target)
    {
        if (method.SequenceEqual("CONNECT"u8))
            return Refuse("CONNECT is not supported: the gateway is not a forward proxy");
        if (target is [(byte)'*'])
            return !method.SequenceEqual("OPTIONS"u8) && Refuse("the target * is allowed for OPTIONS only");
        if (target[0] != '/')
        {
            var scheme =
                target.StartsWith("http://"u8) ? 7
                : target.StartsWith("https://"u8) ? 8
                : 0;
            if (scheme == 0)
                return Refuse("the request target is neither a path nor an http address");
            var rest = target[scheme..];
            var end = rest.IndexOfAny((byte)'/', (byte)'?');
            var authority = end < 0 ? rest : rest[..end];
            if (!IsHost(authority is [.., (byte)':'] ? authority[..^1] : authority))
                return Refuse("the host of the request target is malformed");
            _authority = authority.ToArray();

            // Kestrel takes what System.Uri takes, and refuses the rest without a word: `http://./`, for one.
            if (!Uri.TryCreate(Encoding.ASCII.GetString(target), UriKind.Absolute, out _absolute))
                return Refuse("the host of the request target is malformed");
        }

        // Kestrel would refuse it without a word.
        var query = target.IndexOf((byte)'?');
        return (query < 0 ? target : target[..query]).IndexOf("%00"u8) >= 0
            && Refuse(GatewayErrorKind.BadTarget, "the path contains a percent-encoded NUL");
    }

    private bool TakeHeader(ReadOnlySpan<byte> line)
    {
        if (Split(line, out var name, out var value) || Counted())
            return true;
        switch (name.Length)
        {
            case 4 when Is(name, "host"u8):
                return TakeHost(value);
            case 6 when Is(name, "expect"u8) && _isHttp10:
                Rewrite |= HeadRewrite.Expect; // RFC 9110 section 10.1.1: ignored
                return false;
            case 7 when Is(name, "upgrade"u8):
                _hasUpgrade = true;
                return false;
            case 10 when Is(name, "connection"u8):
                return TakeConnection(value);
            case 14 when Is(name, "content-length"u8):
                return TakeContentLength(value);
            case 17 when Is(name, "transfer-encoding"u8):
                return TakeTransferEncoding(value);
            default:
                return false;
        }
    }

    /// <returns>True when the line is refused.</returns>
    private bool Split(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = value = default;
        if (line[0] is (byte)' ' or (byte)'\t')
            return Refuse("a header line is folded (obs-fold)");
        var colon = line.IndexOf((byte)':');
        if (colon < 0)
            return Refuse("a header has no colon");
        name = line[..colon];
        value = line[(colon + 1)..].Trim(" \t"u8);
        if (name.IsEmpty || name.ContainsAnyExcept(Token))
            return Refuse("a header name is not a token");
        return value.ContainsAny(Control) && Refuse("a header value contains a control character");
    }

    private bool TakeHost(ReadOnlySpan<byte> value)
    {
        if (_host is not null)
            return Refuse("duplicate Host");
        _host = value.ToArray();
        if (IsHost(value))
            return false;

        // RFC 3986 section 3.2.3: a port may be empty, and means the default one. Kestrel does not know that.
        if (value is not [.., (byte)':'] || !IsHost(value[..^1]))
            return Refuse("Host is malformed");
        _host = _host[..^1];
        Rewrite |= HeadRewrite.Port;
        return false;
    }

    private bool TakeConnection(ReadOnlySpan<byte> value)
    {
        var names = false;
        foreach (var range in value.Split((byte)','))
        {
            var option = value[range].Trim(" \t"u8);
            if (Is(option, "upgrade"u8))
                _hasConnectionUpgrade = true;
            else
                names |= !option.IsEmpty && !Is(option, "close"u8) && !Is(option, "keep-alive"u8);
        }

        if (names)
            _connection = _connection is null ? Encoding.Latin1.GetString(value) : _connection + ", " + Encoding.Latin1.GetString(value);
        return false;
    }

    private bool TakeContentLength(ReadOnlySpan<byte> value)
    {
        if (ContentLength >= 0)
            return Refuse("duplicate Content-Length");
        if (
            value.IsEmpty
            || value.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || !Utf8Parser.TryParse(value, out long length, out var used)
            || used != value.Length
        )
            return Refuse("Content-Length is not a number");
        ContentLength = length;
        return false;
    }

    private bool TakeTransferEncoding(ReadOnlySpan<byte> value)
    {
        if (_hasTransferEncoding)
            return Refuse("duplicate Transfer-Encoding");
        _hasTransferEncoding = true;
        return !Is(value, "chunked"u8) && Refuse("the only supported Transfer-Encoding is `chunked`");
    }

    private bool Finish()
    {
        if (_hasTransferEncoding && (ContentLength >= 0 || _isHttp10))
            return Refuse(
                _isHttp10 ? "HTTP/1.0 does not allow Transfer-Encoding" : "the request has both Content-Length and Transfer-Encoding"
            );
        if (_host is null && !_isHttp10)
            return Refuse("Host is missing");
        if (_absolute is not null && _host is not null && !WithoutPort(_host, _absolute).SequenceEqual(WithoutPort(_authority, _absolute)))
            return Refuse("Host differs from the host of the request target");
        if (_absolute is not null && _host is not null && !IsUsual(_absolute, Encoding.ASCII.GetString(_host)))
            return Refuse($"the host of the request target is not in normal form, which is {_absolute.Authority}");

        // Java's HttpClient asks for h2c with its first request, whatever its body. Kestrel refuses the two together, where RFC 9110
        // section 7.8 allows to pass over the wish; in HTTP/1.0 it demands that.
        if (_hasUpgrade && (_isHttp10 || (_hasConnectionUpgrade && HasBody)))
            Rewrite |= HeadRewrite.Upgrade;
        return true;
    }

    /// <summary>A host without the port that its scheme has anyway, or an empty one (RFC 9110 section 4.2.3).</summary>
    private static ReadOnlySpan<byte> WithoutPort(ReadOnlySpan<byte> host, Uri target)
    {
        var port = target.Scheme == Uri.UriSchemeHttps ? ":443"u8 : ":80"u8;
        return host.EndsWith(port) ? host[..^port.Length]
            : host is [.., (byte)':'] ? host[..^1]
            : host;
    }

    private static bool IsVersion(ReadOnlySpan<byte> version) =>
        version.Length == 8
        && version.StartsWith("HTTP/"u8)
        && char.IsAsciiDigit((char)version[5])
        && version[6] == '.'
        && char.IsAsciiDigit((char)version[7]);

    /// <summary>What Kestrel compares Host with: lower case, no leading zeros; the default port may be there or not.</summary>
    private static bool IsUsual(Uri target, string host) =>
        host == target.Authority || (target.IsDefaultPort && host == $"{target.Authority}:{target.Port}");

    private static bool IsHost(ReadOnlySpan<byte> value) => HostSyntax.IsHost(value);

    private static bool Is(ReadOnlySpan<byte> value, ReadOnlySpan<byte> name) => Ascii.EqualsIgnoreCase(value, name);
}
