using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Lintel.TestKit;

/// <summary>A TCP connection whose every byte the test decides. Text is Latin-1: a character a byte.</summary>
public class RawConnection(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    public Socket Socket => socket;

    public async Task SendAsync(string text)
    {
        await _stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask().InTimeAsync();
        await _stream.FlushAsync();
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) =>
        await _stream.WriteAsync(bytes, cancellation);

    /// <summary>The next byte; -1 at the end.</summary>
    public async ValueTask<int> ReadByteAsync()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await _stream.ReadAsync(_buffer).AsTask().InTimeAsync();
            if (_end == 0)
                return -1;
        }

        return _buffer[_start++];
    }

    /// <summary>A line without its end; <see langword="null"/> at the end of the connection.</summary>
    public async Task<string?> ReadLineAsync()
    {
        var line = new StringBuilder();
        for (int b; (b = await ReadByteAsync()) >= 0; )
        {
            if (b == '\n')
                return line.ToString().TrimEnd('\r');
            line.Append((char)b);
        }

        return line.Length == 0 ? null : line.ToString();
    }

    /// <summary>Lines up to the empty one.</summary>
    public async Task<List<string>> ReadHeadAsync()
    {
        var lines = new List<string>();
        while (await ReadLineAsync() is { Length: > 0 } line)
            lines.Add(line);
        return lines;
    }

    public async Task<string> ReadAsync(int count)
    {
        var text = new StringBuilder();
        for (int b; text.Length < count && (b = await ReadByteAsync()) >= 0; )
            text.Append((char)b);
        return text.ToString();
    }

    public Task<string> ReadToEndAsync() => ReadAsync(int.MaxValue);

    /// <summary>A response with its body, complete or not.</summary>
    public async Task<RawResponse> ReadResponseAsync(bool hasBody = true)
    {
        var head = await ReadHeadAsync();
        if (head.Count == 0)
            return new RawResponse(0, head, "", IsWhole: false);
        var status = int.Parse(head[0].Split(' ')[1], CultureInfo.InvariantCulture);
        var response = new RawResponse(status, head, "", IsWhole: true);
        if (!hasBody || status is < 200 or 204 or 304)
            return response;
        if (response["Transfer-Encoding"] == "chunked")
            return await ReadChunksAsync(response);
        if (response["Content-Length"] is not { } length)
            return response with { Body = await ReadToEndAsync() };
        var body = await ReadAsync(int.Parse(length, CultureInfo.InvariantCulture));
        return response with { Body = body, IsWhole = body.Length.ToString(CultureInfo.InvariantCulture) == length };
    }

    public void Dispose()
    {
        _stream.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task<RawResponse> ReadChunksAsync(RawResponse response)
    {
        var body = new StringBuilder();
        while (await ReadLineAsync() is { Length: > 0 } size)
        {
            var count = int.Parse(size.Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (count == 0)
                return response with { Body = body.ToString(), Trailers = await ReadHeadAsync() };
            body.Append(await ReadAsync(count));
            await ReadAsync(2);
        }

        return response with
        {
            Body = body.ToString(),
            IsWhole = false,
        };
    }
}

/// <summary>A response to the byte.</summary>
public sealed record RawResponse(int Status, IReadOnlyList<string> Head, string Body, bool IsWhole)
{
    public IReadOnlyList<string> Trailers { get; init; } = [];

    /// <summary>All values of a header; <see langword="null"/> where it is absent.</summary>
    public string? this[string header]
    {
        get
        {
            var values = Head.Skip(1)
                .Where(l => l.StartsWith(header + ":", StringComparison.OrdinalIgnoreCase))
                .Select(l => l[(header.Length + 1)..].Trim())
                .ToList();
            return values.Count == 0 ? null : string.Join("|", values);
        }
    }
}
