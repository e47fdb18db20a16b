using System.Net;

namespace Lintel.Bench.Fairness;

/// <summary>Asks for a mebibyte and takes a kibibyte at each turn, through the smallest window there is.</summary>
internal sealed class SlowReader(IPEndPoint server) : Abuser(server)
{
    private readonly byte[] _buffer = new byte[1024];

    public override string Deed => "reads";

    public override void Turn()
    {
        if (Socket is null)
        {
            Connect(receiveBuffer: 4096);
            Send("GET /files/1m HTTP/1.1\r\nHost: bench.test\r\n\r\n"u8);
        }

        if (Read(_buffer))
            Done++;
    }
}
