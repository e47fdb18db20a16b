using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Lintel.Bench.Clients;

/// <summary>Unary gRPC over HTTP/2 without TLS: always the same call, one stream at a time.</summary>
internal sealed class GrpcClient : Client
{
    private const int FrameHead = 9;
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;
    private const string Unavailable = "14";

    /// <summary>The client announces no dynamic table, so that fields can be read without state (RFC 7541 section 4.2).</summary>
    private static readonly byte[] Preface =
    [
        .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8,
        .. Frame(FrameType.Settings, 0, 0, [0, 1, 0, 0, 0, 0]), // SETTINGS_HEADER_TABLE_SIZE 0
        .. Frame(FrameType.WindowUpdate, 0, 0, [0x3f, 0, 0, 0]), // more than a run receives
    ];

    /// <summary>gRPC has no Retry-After. Of RFC 9209's errors those with which a gateway refuses a call before it sends anything.</summary>
    private static readonly string[] Refusals = ["destination_unavailable", "connection_limit_reached", "proxy_internal_error"];

    private static readonly byte[] SettingsAck = Frame(FrameType.Settings, 1, 0, []);

    private readonly byte[] _call;
    private readonly int _messageAt;
    private int _stream = -1;
    private bool _isBegun;
    private string _status = "";
    private string _grpcStatus = "";
    private string _proxyStatus = "";

    public GrpcClient(IPEndPoint server, string path)
        : base(server, room: 64 * 1024)
    {
        byte[] message = [0, 0, 0, 0, 4, 8, 1, 16, 2]; // not compressed, 4 bytes of protobuf
        _call = [.. Frame(FrameType.Headers, EndHeaders, 0, Fields(path)), .. Frame(FrameType.Data, EndStream, 0, message)];
        _messageAt = _call.Length - message.Length - FrameHead;
    }

    private enum FrameType
    {
        Data = 0,
        Headers = 1,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
    }

    protected override ReadOnlyMemory<byte> Next()
    {
        _stream += 2;
        (_status, _grpcStatus, _proxyStatus) = ("", "", "");
        BinaryPrimitives.WriteInt32BigEndian(_call.AsSpan(5), _stream);
        BinaryPrimitives.WriteInt32BigEndian(_call.AsSpan(_messageAt + 5), _stream);
        if (_isBegun)
            return _call;
        _isBegun = true;
        return (byte[])[.. Preface, .. _call];
    }

    protected override Answer Read(ReadOnlySpan<byte> bytes, out int consumed)
    {
        consumed = 0;
        while (bytes.Length - consumed >= FrameHead)
        {
            var head = bytes[consumed..];
            var length = (head[0] << 16) | (head[1] << 8) | head[2];
            if (head.Length < FrameHead + length)
                return Answer.Part;
            consumed += FrameHead + length;
            var answer = Take((FrameType)head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head[5..]), head.Slice(FrameHead, length));
            if (answer != Answer.Part)
                return answer;
        }

        return Answer.Part;
    }

    private static byte[] Frame(FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[FrameHead + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, (payload.Length << 8) | (int)type);
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(FrameHead));
        return frame;
    }

    /// <summary>Literals that are not indexed, so that they can be sent again and again.</summary>
    private static byte[] Fields(string path)
    {
        byte[] bytes = [0x83, 0x86]; // :method POST, :scheme http, of the static table
        (string Name, string Value)[] fields =
        [
            (":path", path),
            (":authority", "bench.test"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        foreach (var (name, value) in fields)
            bytes =
            [
                .. bytes,
                0,
                (byte)name.Length,
                .. Encoding.ASCII.GetBytes(name),
                (byte)value.Length,
                .. Encoding.ASCII.GetBytes(value),
            ];
        return bytes;
    }

    private Answer Take(FrameType type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case FrameType.Settings when (flags & 1) == 0:
                SendAside(SettingsAck);
                return Answer.Part;
            case FrameType.Ping when (flags & 1) == 0:
                SendAside(Frame(FrameType.Ping, 1, 0, payload));
                return Answer.Part;
            case FrameType.GoAway:
                IsBroken = true; // for another request; this one may still be answered
                return BinaryPrimitives.ReadInt32BigEndian(payload) < _stream && IsBusy ? Wrong("GOAWAY before the call") : Answer.Part;
            case FrameType.Reset when stream == _stream:
                return Wrong("RST_STREAM " + BinaryPrimitives.ReadInt32BigEndian(payload));
            case FrameType.Headers when stream == _stream:
                foreach (var (name, value) in FieldBlock.Read(payload))
                    Note(name, value);
                break;
            case FrameType.Data when stream == _stream:
                break;
            default:
                return Answer.Part;
        }

        return (flags & EndStream) == 0 ? Answer.Part : Ended();
    }

    private void Note(string name, string value)
    {
        if (name == ":status")
            _status = value;
        else if (name == "grpc-status")
            _grpcStatus = value;
        else if (name == "proxy-status")
            _proxyStatus = value;
    }

    private Answer Ended()
    {
        if (_status == "200" && _grpcStatus == "0")
            return Answer.Whole;
        Reason = $"status {_status}, grpc-status {_grpcStatus}, {_proxyStatus}";
        return _grpcStatus == Unavailable && Refusals.Any(r => _proxyStatus.Contains(r, StringComparison.Ordinal))
            ? Answer.Shed
            : Answer.Wrong;
    }

    private Answer Wrong(string reason)
    {
        Reason = reason;
        return Answer.Wrong;
    }
}
