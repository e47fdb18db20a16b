using Lintel.Hosting.Overload;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Transport.Loop;
using Lintel.Transport.Memory;

namespace Lintel.Hosting;

/// <summary>The parts of a gateway.</summary>
internal sealed record GatewayParts(
    GatewaySource Source,
    ServiceRegistry Services,
    SnapshotCompiler Compiler,
    SnapshotHolder Snapshots,
    RoutePipeline Pipeline,
    AccessLogSlot AccessLog,
    ErrorLog Errors,
    GatewayMetrics Metrics,
    MemoryBudget Memory,
    TimeProvider Time
)
{
    /// <summary>Sheds requests while the gateway itself is overloaded.</summary>
    public required OverloadWatch Overload { get; init; }

    /// <summary>The event loops, if there are any.</summary>
    public LoopGroup? Loops { get; init; }
}
