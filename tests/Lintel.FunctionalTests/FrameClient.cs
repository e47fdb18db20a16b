using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>An HTTP/2 client that sends the given frames, valid or not.</summary>
internal sealed class FrameClient : IDisposable
{
    public const byte Data = 0,
        Headers = 1,
        Priority = 2,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
        Continuation = 9;
    public const byte EndStream = 1,
        Ack = 1,
        EndHeaders = 4,
        Padded = 8,
        WithPriority = 0x20;

    private readonly TcpClient _tcp;
    private readonly NetworkStream _stream;

    private FrameClient(TcpClient tcp)
    {
        _tcp = tcp;
        _stream = tcp.GetStream();
    }

    /// <summary>Connects, and exchanges prefaces.</summary>
    /// <param name="address">A listener with prior knowledge.</param>
    /// <param name="settings">The client's settings, as identifier and value.</param>
    public static async Task<FrameClient> ConnectAsync(Uri address, params (ushort Id, uint Value)[] settings)
    {
        var tcp = new TcpClient { NoDelay = true };
        await tcp.ConnectAsync(address.Host, address.Port).InTimeAsync();
        var client = new FrameClient(tcp);
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
        var payload = new byte[settings.Length * 6];
        for (var i = 0; i < settings.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(i * 6), settings[i].Id);
            BinaryPrimitives.WriteUInt32BigEndian(payload.AsSpan((i * 6) + 2), settings[i].Value);
        }

        await client.SendAsync(Frame(Settings, 0, 0, payload));
        return client;
    }

    public static byte[] Frame(byte type, byte flags, uint stream, ReadOnlySpan<byte> payload, int? length = null)
    {
        var frame = new byte[9 + payload.Length];
        var declared = length ?? payload.Length;
        frame[0] = (byte)(declared >> 16);
        frame[1] = (byte)(declared >> 8);
        frame[2] = (byte)declared;
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>A header block in which nothing is indexed or compressed (RFC 7541 section 6.2.2).</summary>
    public static byte[] Block(params (string Name, string Value)[] headers)
    {
        var block = new List<byte>();
        foreach (var (name, value) in headers)
        {
            block.Add(0);
            Add(block, name);
            Add(block, value);
        }

        return [.. block];

        static void Add(List<byte> block, string text)
        {
            var bytes = Encoding.Latin1.GetBytes(text);
            if (bytes.Length < 127)
            {
                block.Add((byte)bytes.Length);
            }
            else
            {
                block.Add(127);
                var rest = bytes.Length - 127;
                for (; rest >= 128; rest >>= 7)
                    block.Add((byte)((rest & 127) | 128));
                block.Add((byte)rest);
            }

            block.AddRange(bytes);
        }
    }

    /// <summary>The headers of a good request.</summary>
    public static byte[] Get(string path = "/s", params (string Name, string Value)[] more) =>
        Block([(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "t"), .. more]);

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _stream.WriteAsync(bytes).AsTask().InTimeAsync();

    /// <summary>Sends with a time limit: false if the peer accepts no more or has disconnected.</summary>
    public async Task<bool> TrySendAsync(ReadOnlyMemory<byte> bytes, TimeSpan patience)
    {
        using var deadline = new CancellationTokenSource(patience);
        try
        {
            await _stream.WriteAsync(bytes, deadline.Token);
            return true;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>The next frame; <see langword="null"/> when the connection has ended.</summary>
    public async Task<ReceivedFrame?> ReadAsync()
    {
        try
        {
            var head = new byte[9];
            await _stream.ReadExactlyAsync(head).AsTask().InTimeAsync();
            var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await _stream.ReadExactlyAsync(payload).AsTask().InTimeAsync();
            return new ReceivedFrame(head[3], head[4], BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(5)), payload);
        }
        catch (Exception e) when (e is IOException or EndOfStreamException)
        {
            return null;
        }
    }

    /// <summary>The outcome of a stream: <c>200</c>, <c>reset PROTOCOL_ERROR</c>, <c>goaway PROTOCOL_ERROR</c> or <c>closed</c>.</summary>
    public async Task<string> OutcomeAsync(uint stream)
    {
        while (await ReadAsync() is { } frame)
        {
            if (frame.Type == GoAway)
                return "goaway " + Error(frame.Payload.AsSpan(4));
            if (frame.Type == Reset && frame.Stream == stream)
                return "reset " + Error(frame.Payload);
            if (frame.Type == Headers && frame.Stream == stream)
                return frame.Status;
        }

        return "closed";
    }

    public void Dispose() => _tcp.Dispose();

    // RFC 9113 section 7
    private static string Error(ReadOnlySpan<byte> code) =>
        BinaryPrimitives.ReadUInt32BigEndian(code) switch
        {
            0 => "NO_ERROR",
            1 => "PROTOCOL_ERROR",
            2 => "INTERNAL_ERROR",
            3 => "FLOW_CONTROL_ERROR",
            4 => "SETTINGS_TIMEOUT",
            5 => "STREAM_CLOSED",
            6 => "FRAME_SIZE_ERROR",
            7 => "REFUSED_STREAM",
            8 => "CANCEL",
            9 => "COMPRESSION_ERROR",
            11 => "ENHANCE_YOUR_CALM",
            var other => other.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
}

internal sealed record ReceivedFrame(byte Type, byte Flags, uint Stream, byte[] Payload)
{
    /// <summary>The status of a response head: Kestrel indexes those of RFC 7541's static table and writes the others out.</summary>
    public string Status =>
        Payload[0] switch
        {
            0x88 => "200",
            0x89 => "204",
            0x8c => "400",
            0x8d => "404",
            0x8e => "500",
            _ => Encoding.Latin1.GetString(Payload, Math.Max(0, Payload.AsSpan().IndexOfAnyInRange((byte)'1', (byte)'5')), 3),
        };
}
