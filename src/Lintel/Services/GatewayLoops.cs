using Lintel.Transport.Loop;
using Lintel.Transport.Memory;
using Microsoft.Extensions.Logging;

namespace Lintel.Services;

/// <summary>The process's event loops, where it has some.</summary>
internal sealed class GatewayLoops : IDisposable
{
    /// <summary>Set to <c>sockets</c>, it does without loops: for comparing, and for a kernel that misbehaves.</summary>
    public const string Variable = "LINTEL_TRANSPORT";

    /// <param name="logger">Where loops tell of what goes wrong on them.</param>
    /// <param name="memory">Where the memory of what clients do not read comes from.</param>
    public GatewayLoops(ILogger<LoopGroup> logger, MemoryBudget memory)
    {
        if (LoopGroup.IsSupported && Environment.GetEnvironmentVariable(Variable) != "sockets")
            Group = new LoopGroup(Environment.ProcessorCount, logger) { Memory = memory };
    }

    /// <summary><see langword="null"/> where the system has no epoll, or <see cref="Variable"/> says so.</summary>
    public LoopGroup? Group { get; }

    public void Dispose() => Group?.Dispose();
}
