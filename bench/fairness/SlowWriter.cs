using System.Net;

namespace Lintel.Bench.Fairness;

/// <summary>Promises a mebibyte and sends a byte at each turn.</summary>
internal sealed class SlowWriter(IPEndPoint server) : Abuser(server)
{
    private readonly byte[] _answer = new byte[1024];

    public override string Deed => "bytes";

    public override void Turn()
    {
        if (Socket is null)
        {
            Connect();
            Send("POST /sink HTTP/1.1\r\nHost: bench.test\r\nContent-Length: 1048576\r\n\r\n"u8);
        }

        Send("x"u8);
        Done++;
        if (Read(_answer))
            Close(); // told off: once more from the beginning
    }
}
