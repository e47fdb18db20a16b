using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Fairness;

/// <summary>
/// Opens a connection and resets it: alternately without data, with half a head, and with a request whose answer is not read.
/// </summary>
internal sealed class Resetter(IPEndPoint server) : Abuser(server)
{
    public override string Deed => "resets";

    public override void Turn()
    {
        Connect().LingerState = new LingerOption(true, 0);
        switch (Done % 3)
        {
            case 1:
                Send("GET /api/users/42 HTTP/1.1\r\nHo"u8);
                break;
            case 2:
                Send("GET /api/users/42 HTTP/1.1\r\nHost: bench.test\r\n\r\n"u8);
                break;
        }

        Close();
        Done++;
    }
}
