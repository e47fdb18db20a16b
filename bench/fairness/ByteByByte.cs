using System.Net;

namespace Lintel.Bench.Fairness;

/// <summary>Sends right requests, each byte in a segment of its own.</summary>
internal sealed class ByteByByte(IPEndPoint server) : Abuser(server)
{
    private static readonly byte[] Request = "GET /api/users/42 HTTP/1.1\r\nHost: bench.test\r\n\r\n"u8.ToArray();

    private readonly byte[] _answer = new byte[4096];
    private int _sent;

    public override string Deed => "requests";

    public override void Turn()
    {
        if (Socket is null)
        {
            Connect();
            _sent = 0;
        }

        if (_sent < Request.Length)
        {
            Send(Request.AsSpan(_sent++, 1));
        }
        else if (Read(_answer))
        {
            _sent = 0;
            Done++;
        }
    }
}
