using System.Diagnostics;

namespace Lintel.Bench.Clients;

/// <summary>The connections of one kind, and its requests as they become due. Kinds do not wait for each other.</summary>
internal sealed class PacedKind : IDisposable
{
    private readonly LoadKind _kind;
    private readonly Client[] _clients;
    private readonly Queue<int> _free;
    private readonly Poll _poll;
    private readonly int _place;
    private readonly double _interval;
    private long _begin;
    private long _total;
    private long _sent;

    /// <param name="kind">What is sent.</param>
    /// <param name="poll">Waits for the connections.</param>
    /// <param name="place">Their first place in it.</param>
    public PacedKind(LoadKind kind, Poll poll, int place)
    {
        (_kind, _poll, _place) = (kind, poll, place);
        _interval = Stopwatch.Frequency / (double)kind.Rate;
        _clients = [.. Enumerable.Range(0, kind.Connections).Select(_ => kind.Connect())];
        _free = new Queue<int>(Enumerable.Range(0, kind.Connections));
        for (var i = 0; i < _clients.Length; i++)
            _poll.Watch(_place + i, _clients[i].Socket);
    }

    /// <summary>Whether something is still to be sent or received.</summary>
    public bool IsBusy => _sent < _total || _free.Count < _clients.Length;

    /// <summary>When the next request can be sent.</summary>
    public long Next => _sent < _total && _free.Count > 0 ? Due(_sent) : long.MaxValue;

    public void Begin(long timestamp, int seconds)
    {
        _begin = timestamp;
        _total = (long)_kind.Rate * seconds;
        _kind.Outcomes.Begin(timestamp);
    }

    /// <summary>Sends what is due, as far as there are connections.</summary>
    public void SendDue(long now)
    {
        for (; _sent < _total && _free.Count > 0 && Due(_sent) <= now; _sent++)
        {
            var index = _free.Dequeue();
            if (!_clients[index].TrySend(Due(_sent)))
                Fail(index);
            else if (_clients[index].HasUnsent)
                _poll.WatchWrites(_place + index, isWatched: true);
        }
    }

    public void Receive()
    {
        for (var i = 0; i < _clients.Length; i++)
        {
            if (_poll.IsWritable(_place + i))
                Flush(i);
            if (_poll.IsReadable(_place + i))
                Receive(i);
        }
    }

    /// <summary>What has no answer by now, or was never sent because no connection was free, has failed.</summary>
    public void End()
    {
        foreach (var client in _clients)
        {
            if (client.IsBusy)
                _kind.Outcomes.FailedAt(client.Due, "no answer");
        }

        for (; _sent < _total; _sent++)
            _kind.Outcomes.FailedAt(Due(_sent), "not sent: all connections wait");
    }

    public void Dispose()
    {
        foreach (var client in _clients)
            client.Dispose();
    }

    private long Due(long number) => _begin + (long)(number * _interval);

    private void Flush(int index)
    {
        if (_clients[index].TryFlush())
            _poll.WatchWrites(_place + index, _clients[index].HasUnsent);
        else
            Fail(index);
    }

    private void Receive(int index)
    {
        var client = _clients[index];
        var wasBusy = client.IsBusy;
        switch (client.Receive())
        {
            case Answer.Part:
                return;
            case Answer.Wrong when !wasBusy:
                Renew(index); // an idle connection may be closed at any time
                return;
            case Answer.Whole:
                _kind.Outcomes.AnsweredAt(client.Due, Stopwatch.GetTimestamp());
                break;
            case Answer.Shed:
                _kind.Outcomes.ShedAt(client.Due, Stopwatch.GetTimestamp(), client.Reason);
                break;
            case Answer.Wrong:
                _kind.Outcomes.FailedAt(client.Due, client.Reason);
                break;
        }

        if (client.IsBroken || client.IsBusy)
            Renew(index);
        else
            _poll.WatchWrites(_place + index, isWatched: false);
        _free.Enqueue(index);
    }

    private void Fail(int index)
    {
        _kind.Outcomes.FailedAt(_clients[index].Due, _clients[index].Reason);
        Renew(index);
        _free.Enqueue(index);
    }

    /// <summary>The next request goes over a new connection.</summary>
    private void Renew(int index)
    {
        _clients[index].Dispose();
        _clients[index] = _kind.Connect();
        _poll.Watch(_place + index, _clients[index].Socket);
    }
}
