using Lintel.Config;

namespace Lintel.Hosting;

/// <summary>The live configuration, with its metadata.</summary>
internal sealed record LoadedConfig(GatewayConfig Config, DateTimeOffset At, string? Hash, IReadOnlyList<string> Files);
