using System.Diagnostics;
using System.Net;

namespace Lintel.Bench.Clients;

/// <summary>Requests at a constant rate over a fixed number of connections, from one thread.</summary>
/// <remarks>
/// The latency of a request counts from when it was due, not from when it could be sent: while the server stalls requests become due
/// nevertheless, and their waiting time is measured (no coordinated omission).
/// </remarks>
internal sealed class PacedLoad : IDisposable
{
    private readonly IPEndPoint _server;
    private readonly byte[] _request;
    private readonly Client[] _clients;
    private readonly Poll _poll;
    private readonly Queue<int> _free;
    private Latencies _latencies = null!;

    public PacedLoad(IPEndPoint server, string path, int connections)
    {
        _server = server;
        _request = Client.Get(path);
        _clients = [.. Enumerable.Range(0, connections).Select(_ => new Client(server))];
        _poll = new Poll(connections);
        _free = new Queue<int>(connections);
        for (var i = 0; i < connections; i++)
        {
            _poll.Watch(i, _clients[i].Socket);
            _free.Enqueue(i);
        }
    }

    /// <summary>Sends for so long, then waits a second for what is still under way.</summary>
    public void Run(int rate, int seconds, Latencies latencies)
    {
        _latencies = latencies;
        var interval = Stopwatch.Frequency / (double)rate;
        var total = (long)rate * seconds;
        var begin = Stopwatch.GetTimestamp();
        latencies.Begin(begin);
        var patience = begin + ((seconds + 1) * Stopwatch.Frequency);
        for (var sent = 0L; sent < total || _free.Count < _clients.Length; )
        {
            var now = Stopwatch.GetTimestamp();
            if (now > patience)
                break;
            for (; sent < total && _free.Count > 0 && Due(sent) <= now; sent++)
                Send(_free.Dequeue(), Due(sent));
            var next = sent < total && _free.Count > 0 ? Due(sent) : patience;
            if (_poll.Wait(Math.Max(0, next - Stopwatch.GetTimestamp())))
                Receive();
        }

        foreach (var client in _clients)
            latencies.FailedAt(client.Due, client.IsBusy); // no answer until now

        long Due(long number) => begin + (long)(number * interval);
    }

    public void Dispose()
    {
        foreach (var client in _clients)
            client.Dispose();
    }

    private void Send(int index, long due)
    {
        if (!_clients[index].TrySend(_request, due))
            Renew(index, due);
    }

    private void Receive()
    {
        for (var i = 0; i < _clients.Length; i++)
        {
            if (!_poll.IsReadable(i))
                continue;
            var client = _clients[i];
            switch (client.Receive())
            {
                case Answer.Whole:
                    _latencies.Add(client.Due, Stopwatch.GetTimestamp());
                    _free.Enqueue(i);
                    break;
                case Answer.Wrong:
                    Renew(i, client.Due);
                    break;
            }
        }
    }

    /// <summary>A failure is counted, and the next request goes over a new connection.</summary>
    private void Renew(int index, long due)
    {
        _latencies.FailedAt(due, isFailure: true);
        _clients[index].Dispose();
        _clients[index] = new Client(_server);
        _poll.Watch(index, _clients[index].Socket);
        _free.Enqueue(index);
    }
}
