using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lintel.Control;

/// <summary>
/// Limits the connections of the admin address. At the maximum, the connection that has been idle for longest is closed for a new one: a
/// probe can always connect.
/// </summary>
/// <remarks>Thread rule: any thread, synchronized by a lock.</remarks>
internal sealed class AdminConnections
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Entry> _idle = []; // the longest idle one first
    private int _count;

    /// <summary>The connection middleware.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) =>
        async connection =>
        {
            var entry = new Entry(this, connection);
            Begin(entry)?.Connection.Abort(new ConnectionAbortedException("The connection was idle and was closed in favor of a new one."));
            connection.Features.Set(entry);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                End(entry);
            }
        };

    /// <summary>The request middleware: the connection is not idle during a request.</summary>
    public static RequestDelegate Use(RequestDelegate next) =>
        async context =>
        {
            var entry = context.Features.Get<Entry>();
            entry?.Owner.SetIdle(entry, false);
            try
            {
                await next(context).ConfigureAwait(false);
            }
            finally
            {
                entry?.Owner.SetIdle(entry, true);
            }
        };

    /// <returns>The connection to close.</returns>
    private Entry? Begin(Entry entry)
    {
        lock (_lock)
        {
            _count++;
            Entry? longest = null;
            if (_count > AdminLimits.Connections && _idle.First is { } first)
            {
                longest = first.Value;
                _idle.RemoveFirst();
                longest.IsIdle = false;
            }

            _idle.AddLast(entry.Node);
            entry.IsIdle = true;
            return longest;
        }
    }

    private void End(Entry entry)
    {
        lock (_lock)
        {
            _count--;
            if (entry.IsIdle)
                _idle.Remove(entry.Node);
            entry.IsIdle = false;
        }
    }

    private void SetIdle(Entry entry, bool isIdle)
    {
        lock (_lock)
        {
            if (entry.IsIdle == isIdle)
                return;
            entry.IsIdle = isIdle;
            if (isIdle)
                _idle.AddLast(entry.Node);
            else
                _idle.Remove(entry.Node);
        }
    }

    /// <summary>A connection; one that was selected for closing is never idle again.</summary>
    private sealed class Entry
    {
        public Entry(AdminConnections owner, ConnectionContext connection)
        {
            (Owner, Connection) = (owner, connection);
            Node = new LinkedListNode<Entry>(this);
        }

        public AdminConnections Owner { get; }

        public ConnectionContext Connection { get; }

        public LinkedListNode<Entry> Node { get; }

        public bool IsIdle { get; set; }
    }
}
