using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Limits of the gateway as a whole.</summary>
public sealed record GatewayLimitsConfig
{
    /// <summary>
    /// The limit of all buffers together: request bodies and responses of composed calls, copies of mirrored requests, stored responses,
    /// and output that clients have not read yet. Beyond it memory is refused, to a request with 503 <c>overloaded</c>. A percentage of the
    /// memory of the process (.NET's heap limit: in a container three quarters of the container's memory, unless configured otherwise), or
    /// a size of 1MiB to 1024TiB. Default 50%: the other half is for connections, streams and the garbage collector.
    /// </summary>
    public MemoryAmount Memory { get; init; } = MemoryAmount.Share(50);

    internal static Grammar<GatewayLimitsConfig> Grammar { get; } =
        new RecordGrammar<GatewayLimitsConfig>(static f => new GatewayLimitsConfig
        {
            Memory = f.Get("memory", MemoryAmount.Grammar, MemoryAmount.Share(50)),
        });
}
