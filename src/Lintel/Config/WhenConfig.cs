using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Conditions on a request, by which a client is recognized or a policy is limited to some requests: all must be met.</summary>
public sealed record WhenConfig
{
    /// <summary>Conditions on headers by name.</summary>
    public ValueMap<ConditionConfig> Headers { get; init; } = [];

    /// <summary>Conditions on query parameters by name.</summary>
    public ValueMap<ConditionConfig> Query { get; init; } = [];

    /// <summary>Conditions on cookies by name.</summary>
    public ValueMap<ConditionConfig> Cookies { get; init; } = [];

    internal const string EmptyProblem = "there is no condition, and every request would match";

    /// <summary>Whether there are no conditions: every request would match.</summary>
    internal bool IsEmpty => Headers.Count + Query.Count + Cookies.Count == 0;

    internal static Grammar<WhenConfig> Grammar { get; } =
        new RecordGrammar<WhenConfig>(static f =>
        {
            if (f.IsReading && f.IsEmpty)
                f.Report("missing-key", null, EmptyProblem, "add conditions: `headers`, `query` or `cookies`");
            return new WhenConfig
            {
                Headers = f.FilledMap("headers", ConditionConfig.Grammar, ConditionConfig.NoneHint, MatchConfig.TokenGrammar),
                Query = f.FilledMap("query", ConditionConfig.Grammar, ConditionConfig.NoneHint),
                Cookies = f.FilledMap("cookies", ConditionConfig.Grammar, ConditionConfig.NoneHint, MatchConfig.TokenGrammar),
            };
        });
}
