using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Clients;

/// <summary>Connections that have carried one request and now wait.</summary>
internal sealed class HeldConnections(IPEndPoint server, string path) : IDisposable
{
    /// <summary>Far below the kernel's default backlog of 4096: no connection is refused.</summary>
    private const int AtOnce = 64;

    private readonly List<Http1Client> _clients = [];

    /// <exception cref="InvalidOperationException">A request was not answered with 200.</exception>
    public void Open(int count)
    {
        var request = Http1Client.Get(path);
        while (_clients.Count < count)
        {
            var batch = Enumerable
                .Range(0, Math.Min(AtOnce, count - _clients.Count))
                .Select(_ => new Http1Client(server, request, room: 4096))
                .ToList();
            foreach (var client in batch)
                client.TrySend(due: 0);
            foreach (var client in batch)
                Await(client);
            _clients.AddRange(batch);
        }
    }

    /// <summary>How many the server has closed meanwhile.</summary>
    public int CountEnded() => _clients.Count(c => c.Socket.Poll(0, SelectMode.SelectRead));

    public void Dispose() => _clients.ForEach(c => c.Dispose());

    private static void Await(Client client)
    {
        while (client.HasUnsent && client.Socket.Poll(TimeSpan.FromSeconds(10), SelectMode.SelectWrite) && client.TryFlush())
        {
            // The connection may still be under way.
        }

        Answer answer;
        while ((answer = client.Receive()) == Answer.Part)
        {
            if (!client.Socket.Poll(TimeSpan.FromSeconds(10), SelectMode.SelectRead))
                throw new InvalidOperationException("no answer within 10 s");
        }

        if (answer != Answer.Whole)
            throw new InvalidOperationException("a request was not answered with 200");
    }
}
