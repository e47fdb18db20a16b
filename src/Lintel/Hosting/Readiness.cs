namespace Lintel.Hosting;

/// <summary>The readiness conditions that others have added.</summary>
/// <remarks>Thread rule: every member takes the lock; probes are few.</remarks>
internal sealed class Readiness
{
    private readonly List<Func<string?>> _others = [];

    /// <summary>Returns all reasons for not being ready: the gateway's own, if any, then those of others.</summary>
    public IReadOnlyList<string> Reasons(string? own)
    {
        lock (_others)
            return [.. _others.Select(r => r()).Prepend(own).OfType<string>()];
    }

    public IDisposable Add(Func<string?> reason)
    {
        lock (_others)
            _others.Add(reason);
        return new Entry(_others, reason);
    }

    private sealed class Entry(List<Func<string?>> all, Func<string?> reason) : IDisposable
    {
        public void Dispose()
        {
            lock (all)
                all.Remove(reason);
        }
    }
}
