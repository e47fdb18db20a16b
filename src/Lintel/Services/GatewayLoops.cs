using Lintel.Transport.Loop;
using Lintel.Transport.Memory;
using Microsoft.Extensions.Logging;

namespace Lintel.Services;

/// <summary>The process's event loops, if any.</summary>
internal sealed class GatewayLoops : IDisposable
{
    /// <summary>
    /// The environment variable that disables loops if it is set to <c>sockets</c>: for comparison, and for kernels with defects.
    /// </summary>
    public const string Variable = "LINTEL_TRANSPORT";

    /// <param name="logger">The logger for failures on loops.</param>
    /// <param name="memory">The budget for output that clients have not read.</param>
    public GatewayLoops(ILogger<LoopGroup> logger, MemoryBudget memory)
    {
        if (LoopGroup.IsSupported && Environment.GetEnvironmentVariable(Variable) != "sockets")
            Group = new LoopGroup(Environment.ProcessorCount, logger) { Memory = memory };
    }

    /// <summary>The loops; <see langword="null"/> if the system has no epoll, or <see cref="Variable"/> disables them.</summary>
    public LoopGroup? Group { get; }

    public void Dispose() => Group?.Dispose();
}
