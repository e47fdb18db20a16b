using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;

namespace Lintel.Bench.Clients;

/// <summary>Has another .NET process collect its garbage, by the port on which every one of them listens for diagnosis.</summary>
internal static class Collection
{
    // "GCHeapCollect" of the runtime's events: listening to it triggers a full collection.
    private const long HeapCollect = 0x800000;

    /// <summary>Longer than a full collection of any heap that is measured here.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static int Run(int process)
    {
        using var session = new DiagnosticsClient(process).StartEventPipeSession(
            [new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, HeapCollect)],
            requestRundown: false
        );
        var drained = session.EventStream.CopyToAsync(Stream.Null);
        drained.Wait(Patience);
        session.Stop();
        drained.Wait();
        return 0;
    }
}
