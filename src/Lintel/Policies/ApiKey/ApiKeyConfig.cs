using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.ApiKey;

/// <summary>Requires an API key of a configured client (<c>clients.NAME.apiKeys</c>), in a header or in a query parameter.</summary>
/// <remarks>
/// The gateway knows the SHA-256 hashes of keys only. That is as good as a password hash for keys of 256 random bits, as
/// <c>lintel key new</c> creates them, and not for words that a person has chosen. Services receive the key only if the policy
/// <c>identity</c> says so.
/// </remarks>
public sealed record ApiKeyConfig : PolicyConfig
{
    internal const string Key = "apiKey";

    private const string DefaultHeader = "X-Api-Key";

    /// <summary>The header that carries the key. Default <c>X-Api-Key</c>, unless <see cref="Query"/> is set.</summary>
    public string? Header { get; init; }

    /// <summary>
    /// The query parameter that carries the key. URLs end up in histories and logs of other systems: prefer a header. Default: none.
    /// </summary>
    public string? Query { get; init; }

    internal string? EffectiveHeader => Header ?? (Query is null ? DefaultHeader : null);

    internal static Grammar<ApiKeyConfig> Grammar { get; } =
        new RecordGrammar<ApiKeyConfig>(static f => new ApiKeyConfig
        {
            Header = f.Find("header", MatchConfig.TokenGrammar),
            Query = f.Find("query", MatchConfig.TokenGrammar),
        });

    internal override string Kind => Key;

    internal override IEnumerable<string> SecretHeaders => EffectiveHeader is { } header ? [header] : [];

    internal override IEnumerable<string> SecretParameters => Query is { } query ? [query] : [];
}
