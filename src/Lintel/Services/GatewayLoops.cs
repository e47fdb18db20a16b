using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging;

namespace Lintel.Services;

/// <summary>The process's event loops, where it has some.</summary>
internal sealed class GatewayLoops : IDisposable
{
    /// <summary>Set to <c>sockets</c>, it does without loops: for comparing, and for a kernel that misbehaves.</summary>
    public const string Variable = "LINTEL_TRANSPORT";

    /// <param name="logger">Where loops tell of what goes wrong on them.</param>
    public GatewayLoops(ILogger<LoopGroup> logger)
    {
        if (LoopGroup.IsSupported && Environment.GetEnvironmentVariable(Variable) != "sockets")
            Group = new LoopGroup(Environment.ProcessorCount, logger);
    }

    /// <summary><see langword="null"/> where the system has no epoll, or <see cref="Variable"/> says so.</summary>
    public LoopGroup? Group { get; }

    public void Dispose() => Group?.Dispose();
}
