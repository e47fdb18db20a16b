using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>What the gateway as a whole takes for itself.</summary>
public sealed record GatewayLimitsConfig
{
    /// <summary>
    /// The most that everything that buffers may hold together: bodies and answers of composed calls, mirrors' copies, kept answers, and
    /// what clients have not read yet. Whoever would take more is refused, a request with 503 <c>overloaded</c>. A share of what the
    /// process may have (.NET's heap limit: in a container three quarters of the container's memory, unless it is set otherwise), or a size
    /// of 1MiB to 1024TiB. Default 50%: the other half is for connections, streams and the garbage collector.
    /// </summary>
    public MemoryAmount Memory { get; init; } = MemoryAmount.Share(50);

    internal static Grammar<GatewayLimitsConfig> Grammar { get; } =
        new RecordGrammar<GatewayLimitsConfig>(static f => new GatewayLimitsConfig
        {
            Memory = f.Get("memory", MemoryAmount.Grammar, MemoryAmount.Share(50)),
        });
}
