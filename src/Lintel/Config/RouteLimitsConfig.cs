using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Limits of a route's requests.</summary>
public sealed record RouteLimitsConfig
{
    /// <summary>The maximum size of a request body. Default: the listener's limit. Beyond it: 413.</summary>
    public long? Body { get; init; }

    /// <summary>The shared instance for routes that set none.</summary>
    internal static RouteLimitsConfig None { get; } = new();

    internal static Grammar<RouteLimitsConfig> Grammar { get; } =
        new RecordGrammar<RouteLimitsConfig>(static f => new RouteLimitsConfig { Body = f.FindValue("body", Scalars.Size(0, 1L << 50)) });
}
