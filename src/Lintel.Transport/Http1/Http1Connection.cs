using System.Buffers;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Http1;

/// <summary>An HTTP/1.1 client connection that carries one exchange after the other.</summary>
/// <remarks>
/// <para>In order: <see cref="Begin"/>, <see cref="AddField(string, string)"/>…, an end of the head, the body, <see cref="TryReadHead"/>
/// until the final one, the answer's body, <see cref="Release"/>. An answer may be read while the body is still sent.</para>
/// <para>
/// Reading never waits by itself: it says that nothing more is there, and the reader awaits <see cref="WaitAsync"/>, which is the socket's
/// own wait. So a request that waits for its answer costs no frame below its reader's, and holds no buffer.
/// </para>
/// <para>Thread rule: one sender and one receiver at a time, each on any thread; <see cref="Abort"/> from anywhere.</para>
/// </remarks>
public sealed class Http1Connection
{
    private static readonly SearchValues<char> Breaks = SearchValues.Create("\r\n\0");
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    private readonly Stream _stream;
    private readonly LoopStream _socket;
    private readonly Http1Options _options;
    private readonly TimeLimit _limit;
    private readonly ChunkedDecoder _chunks;

    private readonly SendBuffer _out = new();
    private readonly ReceiveBuffer _in = new();
    private bool _hasBegun;
    private bool _hasBecomeReadable;
    private bool _isHead;
    private bool _expectsContent;
    private bool _isChunkedRequest;
    private bool _isRequestWhole;

    private BodyEnd _end;
    private long _left;
    private bool _hasFinalHead;
    private bool _isWhole;
    private bool _hasBytes;
    private bool _isWithinHead;
    private bool _hasEnded;
    private bool _isTunnel;
    private int _interimHeads;
    private int _interimBytes;
    private Http1Exception? _failure;

    internal Http1Connection(Http1Shard shard, Stream stream, LoopStream socket, Http1Options options, long born)
    {
        Shard = shard;
        _stream = stream;
        _socket = socket;
        _options = options;
        _chunks = new ChunkedDecoder { AllowsBareLf = options.AllowsBareLf };
        Head = new ResponseHead { AllowsBareLf = options.AllowsBareLf, AllowsEqualLengths = options.AllowsEqualLengths };
        _limit = new TimeLimit(this);
        IdleTimer = new IdleLimit(this);
        Dropping = () => shard.Drop(this);
        Born = born;
    }

    /// <summary>The last response head.</summary>
    public ResponseHead Head { get; }

    /// <summary>The event loop of the connection.</summary>
    public EventLoop Loop => _socket.Loop;

    /// <summary>Whether the connection was used before: the server may have closed it before it received this request.</summary>
    public bool IsReused { get; internal set; }

    /// <summary>Whether a byte of the response was received.</summary>
    public bool HasAnswer => _hasBytes;

    /// <summary>Whether the response body, if any, was read to the end.</summary>
    public bool IsBodyWhole => _isWhole;

    /// <summary>The upper bound of the remaining body length.</summary>
    public long BodyLeft => _end == BodyEnd.Length ? _left : long.MaxValue;

    /// <summary>The response trailers, after the body was read to the end.</summary>
    public IReadOnlyList<ResponseField> Trailers => _end == BodyEnd.LastChunk && _isWhole ? _chunks.Trailers : [];

    /// <summary>Whether the final response head was received.</summary>
    public bool HasFinalHead => _hasFinalHead;

    internal Http1Shard Shard { get; }

    /// <summary>When it was made, by the loop's clock.</summary>
    internal long Born { get; }

    internal LoopTimer IdleTimer { get; }

    /// <summary>What happens to an unused connection that stirs.</summary>
    internal Action Dropping { get; }

    internal LoopStream Socket => _socket;

    /// <summary>
    /// Whether HTTP is sent on the socket directly. Otherwise there is a TLS stream in between, which buffers received data.
    /// </summary>
    private bool IsPlain => _stream == _socket;

    /// <summary>
    /// Whether the server has closed the connection or sent unsolicited data: it cannot carry another request, and is closed when it is
    /// released. Queries the system.
    /// </summary>
    public bool HasBecomeReadable => _hasBecomeReadable |= _socket.HasBecomeReadable;

    // The request.

    /// <summary>Begins a request. Nothing is sent before the head ends.</summary>
    /// <param name="method">A token.</param>
    /// <param name="prefix">The prefix of the target: the base path of an instance.</param>
    /// <param name="target">Path and query, escaped.</param>
    public void Begin(string method, string prefix, string target)
    {
        _hasBegun = true;
        _isHead = method == "HEAD";
        _interimHeads = _interimBytes = 0;
        _expectsContent = method is "POST" or "PUT" or "PATCH";
        _isRequestWhole = _isChunkedRequest = _hasFinalHead = _isWhole = _hasBytes = _isWithinHead = false;
        _out.Clear();
        _out.Append(method);
        _out.Append(" "u8);
        _out.Append(prefix);
        _out.Append(target);
        _out.Append(" HTTP/1.1\r\n"u8);
    }

    /// <summary>Adds a field.</summary>
    /// <exception cref="Http1Exception">It would not stay on its line, or its name would be read as something else.</exception>
    public void AddField(string name, string value)
    {
        if (value.AsSpan().ContainsAny(Breaks) || name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token))
            throw new Http1Exception(Http1Failure.BadRequest, "A field name is not a token, or a field value contains a line break.");
        _out.Append(name);
        _out.Append(": "u8);
        _out.Append(value);
        _out.Append("\r\n"u8);
    }

    /// <summary>Adds a field whose value is ASCII generated by the gateway.</summary>
    public void AddField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        _out.Append(name);
        _out.Append(": "u8);
        _out.Append(value);
        _out.Append("\r\n"u8);
    }

    /// <summary>Adds preformatted field lines, including line ends, which several requests share.</summary>
    public void AddFields(ReadOnlySpan<byte> lines) => _out.Append(lines);

    /// <summary>Ends the head of a request without body.</summary>
    /// <param name="sendsZeroLength">Whether <c>Content-Length: 0</c> is sent although the method does not require it.</param>
    public void EndHead(bool sendsZeroLength = false)
    {
        // RFC 9110 section 8.6: methods that usually have content say that there is none; some servers answer 411 otherwise.
        if (sendsZeroLength || _expectsContent)
            AddField("Content-Length"u8, "0"u8);
        _out.Append("\r\n"u8);
        _isRequestWhole = true;
    }

    /// <summary>Ends the head of a request with a body.</summary>
    /// <param name="length">Its length; <see langword="null"/> for chunks.</param>
    public void EndHead(long? length)
    {
        _isChunkedRequest = length is null;
        if (length is { } known)
        {
            Span<byte> digits = stackalloc byte[20];
            known.TryFormat(digits, out var count);
            AddField("Content-Length"u8, digits[..count]);
        }
        else
        {
            AddField("Transfer-Encoding"u8, "chunked"u8);
        }

        _out.Append("\r\n"u8);
    }

    /// <summary>Adds a piece of the body to what <see cref="FlushAsync"/> sends.</summary>
    /// <remarks>A large piece should be flushed before the next one: the buffer grows with what waits.</remarks>
    public void AddBody(ReadOnlySpan<byte> piece)
    {
        if (piece.IsEmpty)
            return;
        if (_isChunkedRequest)
        {
            Span<byte> size = stackalloc byte[10];
            piece.Length.TryFormat(size, out var count, "x");
            _out.Append(size[..count]);
            _out.Append("\r\n"u8);
        }

        _out.Append(piece);
        if (_isChunkedRequest)
            _out.Append("\r\n"u8);
    }

    /// <summary>Ends the body.</summary>
    /// <param name="trailers">Fields after the last chunk; without meaning where the body had a length.</param>
    public void EndBody(IEnumerable<KeyValuePair<string, string>>? trailers)
    {
        if (_isChunkedRequest)
        {
            _out.Append("0\r\n"u8);
            foreach (var (name, value) in trailers ?? [])
                AddField(name, value);
            _out.Append("\r\n"u8);
        }

        _isRequestWhole = true;
    }

    /// <summary>Flushes the buffered data. Completes when the system has accepted it.</summary>
    /// <returns>
    /// False if the server accepts no more data. That is not the end of the exchange: the response may already have been received.
    /// </returns>
    public ValueTask<bool> FlushAsync()
    {
        if (_out.IsEmpty)
            return new(true);
        var sending = _stream.WriteAsync(_out.Written);
        if (!sending.IsCompletedSuccessfully)
            return AwaitSentAsync(sending);
        _out.Release();
        return new(true);
    }

    // The answer.

    /// <summary>Reads the next response head as far as it has been received: an interim one (1xx), or the final one.</summary>
    /// <returns>False when <see cref="WaitAsync"/> has to be awaited first.</returns>
    /// <exception cref="Http1Exception">There is none to be had.</exception>
    public bool TryReadHead()
    {
        if (!_isWithinHead)
        {
            Head.Clear();
            _in.StartScan();
            _isWithinHead = true;
        }

        while (!TakeHead())
        {
            var count = TryReceive();
            if (count < 0)
                return false;
            if (count == 0)
                throw Failed(
                    new Http1Exception(
                        _hasBytes ? Http1Failure.Incomplete : Http1Failure.Terminated,
                        _hasBytes
                            ? "The connection closed before the response head was complete."
                            : "The connection closed before a response was received."
                    )
                );
        }

        _isWithinHead = false;
        if (Head.Status < 200 && Head.Status != 101)
        {
            if (++_interimHeads > _options.MaxInterimHeads || _interimBytes > _options.MaxHead)
                throw Failed(
                    ResponseHead.Malformed(
                        $"more than {_options.MaxInterimHeads} interim responses, or {_options.MaxHead} bytes of them, preceded "
                            + $"the final response"
                    )
                );
            return true;
        }

        _hasFinalHead = true;
        _end = Head.EndOfBody(_isHead);
        _left = _end == BodyEnd.Length ? Head.ContentLength : 0;
        _isWhole = _end == BodyEnd.None;
        if (_end == BodyEnd.LastChunk)
            _chunks.Begin(_options.MaxHead);
        return true;
    }

    /// <summary>
    /// Waits for more response data or the end of the connection. The result has no meaning; connection errors are reported by reading.
    /// </summary>
    /// <exception cref="Http1Exception">The connection is broken.</exception>
    public ValueTask<int> WaitAsync()
    {
        if (_in.IsEmpty)
            _in.Release();
        return IsPlain ? _socket.WaitReadableAsync() : ReceiveAsync();
    }

    /// <summary>Reads the part of the body that has been received.</summary>
    /// <returns>How many bytes; 0 at the body's end; -1 when <see cref="WaitAsync"/> has to be awaited first.</returns>
    /// <exception cref="Http1Exception">The body is cut off or malformed.</exception>
    public int TryReadBody(Span<byte> buffer)
    {
        if (_isWhole)
            return 0;
        try
        {
            return _end switch
            {
                BodyEnd.Length => ReadPlain(buffer[..(int)Math.Min(buffer.Length, _left)]),
                BodyEnd.LastChunk => ReadChunks(buffer),
                _ => ReadPlain(buffer),
            };
        }
        catch (IOException e)
        {
            throw Failed(e);
        }
    }

    /// <summary>Looks at the frame of a chunked body as far as it has come with the head, up to its first data.</summary>
    /// <exception cref="Http1Exception">It is malformed.</exception>
    public void CheckAhead()
    {
        if (_isWhole || _end != BodyEnd.LastChunk || _in.IsEmpty)
            return;
        var (taken, _) = _chunks.Decode(_in.Unread, default);
        _in.Skip(taken);
        _isWhole = _chunks.HasEnded;
    }

    /// <summary>
    /// Returns the body if all of it was received with the head, as is usual for small bodies; empty otherwise. It is valid until the
    /// connection is released.
    /// </summary>
    public ReadOnlyMemory<byte> TakeWholeBody()
    {
        if (_isWhole || _end != BodyEnd.Length || _in.Unread.Length < _left)
            return default;
        var body = _in.TakeInPlace((int)_left);
        _left = 0;
        _isWhole = true;
        return body;
    }

    /// <summary>Detaches the connection from HTTP after a 101 response: the bytes that follow belong to the new protocol.</summary>
    public Stream OpenTunnel()
    {
        _isTunnel = true;
        var ahead = _in.Unread.ToArray();
        return new TunnelStream(_stream, _socket, ahead);
    }

    // Its end.

    /// <summary>Lets the exchange fail with <see cref="Http1Failure.TimedOut"/> after a time, unless another limit is set before.</summary>
    /// <param name="after">From now; <see langword="null"/> for no limit.</param>
    public void Limit(TimeSpan? after)
    {
        if (after is { } time && time != Timeout.InfiniteTimeSpan)
            Loop.Start(_limit, time);
        else
            EventLoop.Stop(_limit);
    }

    /// <summary>Cuts the exchange off: whoever waits for it gets the failure.</summary>
    public void Abort(Http1Failure failure)
    {
        Interlocked.CompareExchange(
            ref _failure,
            new Http1Exception(
                failure,
                failure == Http1Failure.TimedOut ? "The exchange timed out." : "The exchange was aborted by the gateway."
            ),
            null
        );
        _socket.Abort(_failure);
    }

    /// <summary>
    /// Releases the connection: to the pool if both messages are complete and there is no unread data, otherwise it is closed.
    /// </summary>
    /// <remarks>
    /// One that carried no exchange is given back because it cannot carry one, and is closed: kept, it would be the next to be rented,
    /// again and again.
    /// </remarks>
    public void Release()
    {
        EventLoop.Stop(_limit);
        var isClean =
            _hasBegun
            && !_hasBecomeReadable
            && _isRequestWhole
            && _hasFinalHead
            && _isWhole
            && !_isTunnel
            && Head.Status != 101
            && _failure is null
            && Head.KeepsAlive
            && _end != BodyEnd.Connection
            && !Head.FramesNothing
            && _in.IsEmpty
            && _out.IsEmpty;
        _hasBegun = false;
        _in.Release();
        _out.Release();
        Shard.Return(this, isClean);
    }

    internal void Dispose()
    {
        Loop.Remove(_limit);
        Loop.Remove(IdleTimer);
        _stream.Dispose();
    }

    private bool TakeHead()
    {
        try
        {
            while (_in.NextLine(out var line))
            {
                if (_in.Scanned > _options.MaxHead)
                    throw TooLarge();
                if (!Head.Take(line))
                    continue;
                _interimBytes += _in.Scanned;
                _in.TakeScanned();
                return true;
            }
        }
        catch (Http1Exception e)
        {
            throw Failed(e);
        }

        return _in.Unread.Length <= _options.MaxHead ? false : throw Failed(TooLarge());
    }

    private Http1Exception TooLarge() => new(Http1Failure.HeadTooLarge, $"The response head is larger than {_options.MaxHead} bytes.");

    private int ReadPlain(Span<byte> buffer)
    {
        int count;
        if (!_in.IsEmpty)
        {
            count = _in.Take(buffer);
        }
        else
        {
            // Into the reader's own buffer.
            count =
                IsPlain ? _socket.TryRead(buffer)
                : _hasEnded ? 0
                : -1;
            if (count == 0)
                EndOfConnection();
        }

        if (_end == BodyEnd.Length && count > 0)
        {
            _left -= count;
            _isWhole = _left == 0;
        }

        return count;
    }

    private int ReadChunks(Span<byte> buffer)
    {
        while (true)
        {
            // A large chunk's bytes need not pass through the buffer.
            if (_in.IsEmpty && _chunks.DataLeft > 0 && IsPlain)
            {
                var read = _socket.TryRead(buffer[..(int)Math.Min(buffer.Length, _chunks.DataLeft)]);
                if (read == 0)
                    EndOfConnection();
                if (read > 0)
                    _chunks.Skip(read);
                return read;
            }

            var (taken, written) = _chunks.Decode(_in.Unread, buffer);
            _in.Skip(taken);
            _isWhole = _chunks.HasEnded;
            if (written > 0 || _isWhole)
                return written;
            var count = TryReceive();
            if (count == 0)
                EndOfConnection();
            if (count < 0)
                return count;
        }
    }

    private void EndOfConnection()
    {
        if (_end != BodyEnd.Connection)
            throw new Http1Exception(Http1Failure.Incomplete, "The connection closed before the response body was complete.");
        _isWhole = true;
    }

    private async ValueTask<bool> AwaitSentAsync(ValueTask sending)
    {
        try
        {
            await sending.ConfigureAwait(false);
            _out.Release();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Appends received bytes to the buffer, if there are any.</summary>
    /// <returns>0 if the server has closed the connection; -1 if no data is available.</returns>
    private int TryReceive()
    {
        if (!IsPlain)
            return _hasEnded ? 0 : -1; // what was there, the wait has received
        if (!_socket.IsReadable)
            return -1;
        if (_failure is { } failure)
            throw failure; // what the socket would say of it is thrown once more
        try
        {
            return Received(_socket.TryRead(_in.Room().Span));
        }
        catch (IOException e)
        {
            throw Failed(e);
        }
    }

    /// <summary>Receives through TLS.</summary>
    private async ValueTask<int> ReceiveAsync()
    {
        try
        {
            var count = Received(await _stream.ReadAsync(_in.Room()).ConfigureAwait(false));
            _hasEnded = count == 0;
            return count;
        }
        catch (IOException e)
        {
            throw Failed(e);
        }
    }

    private int Received(int count)
    {
        _in.Received(Math.Max(0, count));
        _hasBytes |= count > 0;
        return count;
    }

    /// <summary>The first failure is the one that counts.</summary>
    private Http1Exception Failed(IOException e)
    {
        var failure =
            e as Http1Exception ?? new Http1Exception(_hasBytes ? Http1Failure.Incomplete : Http1Failure.Terminated, e.Message, e);
        return Interlocked.CompareExchange(ref _failure, failure, null) ?? failure;
    }

    private sealed class TimeLimit(Http1Connection connection) : LoopTimer
    {
        protected internal override void Fire() => connection.Abort(Http1Failure.TimedOut);
    }

    private sealed class IdleLimit(Http1Connection connection) : LoopTimer
    {
        protected internal override void Fire() => connection.Shard.Drop(connection);
    }
}
