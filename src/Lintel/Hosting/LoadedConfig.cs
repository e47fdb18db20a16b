using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>The configuration that is being served, and what is told about it.</summary>
internal sealed record LoadedConfig(GatewayConfig Config, DateTimeOffset At, string? Hash, IReadOnlyList<string> Files);
