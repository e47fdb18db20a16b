using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

/// <summary>Counts how often it learns that its client has left.</summary>
internal sealed class ClientWatch : IClientWatch
{
    private int _notifications;

    public int Notifications => Volatile.Read(ref _notifications);

    public void ClientDisconnected() => Interlocked.Increment(ref _notifications);
}
