using System.Net.Sockets;

namespace Lintel.Bench.Fairness;

/// <summary>Abusers of one kind, whose turns are spread over an interval.</summary>
/// <param name="name">The kind.</param>
/// <param name="count">How many there are.</param>
/// <param name="interval">How long from one turn of an abuser to its next.</param>
/// <param name="create">Makes one.</param>
internal sealed class Group(string name, int count, TimeSpan interval, Func<Abuser> create) : IDisposable
{
    private readonly Abuser[] _abusers = [.. Enumerable.Range(0, count).Select(_ => create())];
    private long _turns;
    private long _refused;

    public string Name => name;

    /// <summary>Whether there was anything to bear at all.</summary>
    public bool HasAbused => _abusers.Sum(a => a.Done) > 0;

    /// <summary>Runs every turn that is due; turns that are more than an interval late are skipped.</summary>
    public void Advance(TimeSpan elapsed)
    {
        var due = (long)(elapsed / interval * count);
        _turns = Math.Max(_turns, due - count);
        for (; _turns < due; _turns++)
        {
            var abuser = _abusers[_turns % count];
            try
            {
                abuser.Turn();
            }
            catch (SocketException)
            {
                _refused++; // the server has had enough of this one
                abuser.Close();
            }
        }
    }

    public string Report() =>
        $"{count} {name}: {_abusers.Sum(a => a.Connections)} connections, {_abusers.Sum(a => a.Done)} {_abusers[0].Deed}, {_refused} "
        + $"ended by the server";

    public void Dispose()
    {
        foreach (var abuser in _abusers)
            abuser.Close();
    }
}
