using System.Diagnostics;

namespace Lintel.Bench.Clients;

/// <summary>Requests at a constant rate over a fixed number of connections, from one thread.</summary>
/// <remarks>
/// The latency of a request counts from when it was due, not from when it could be sent: while the server stalls requests become due
/// nevertheless, and their waiting time is measured (no coordinated omission).
/// </remarks>
internal sealed class PacedLoad : IDisposable
{
    /// <summary>After the last request, in seconds.</summary>
    private const int Patience = 3;

    private readonly PacedKind[] _kinds;
    private readonly Poll _poll;

    public PacedLoad(params LoadKind[] kinds)
    {
        _poll = new Poll(kinds.Sum(k => k.Connections));
        var place = 0;
        _kinds = new PacedKind[kinds.Length];
        for (var i = 0; i < kinds.Length; place += kinds[i++].Connections)
            _kinds[i] = new PacedKind(kinds[i], _poll, place);
    }

    /// <summary>Sends for so long, then waits for what is still under way.</summary>
    public void Run(int seconds)
    {
        var begin = Stopwatch.GetTimestamp();
        foreach (var kind in _kinds)
            kind.Begin(begin, seconds);
        var patience = begin + ((seconds + Patience) * Stopwatch.Frequency);
        while (_kinds.Any(k => k.IsBusy))
        {
            var now = Stopwatch.GetTimestamp();
            if (now > patience)
                break;
            foreach (var kind in _kinds)
                kind.SendDue(now);
            var next = Math.Min(patience, _kinds.Min(k => k.Next));
            if (!_poll.Wait(Math.Max(0, next - Stopwatch.GetTimestamp())))
                continue;
            foreach (var kind in _kinds)
                kind.Receive();
        }

        foreach (var kind in _kinds)
            kind.End();
    }

    public void Dispose()
    {
        foreach (var kind in _kinds)
            kind.Dispose();
    }
}
