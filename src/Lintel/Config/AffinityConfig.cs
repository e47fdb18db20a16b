using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>Keeps a client on the instance that answered it first, by a cookie ("sticky sessions").</summary>
public sealed record AffinityConfig
{
    /// <summary>
    /// The name of the cookie. Its value is a token that names the instance without revealing its address. The cookie is not forwarded to
    /// the service.
    /// </summary>
    public required string Cookie { get; init; }

    /// <summary>
    /// How long the client keeps the cookie (<c>Max-Age</c>). Default: until the browser is closed. 1s to 400d (browsers limit it to that).
    /// </summary>
    public TimeSpan? Lifetime { get; init; }

    /// <summary>
    /// The secret that tokens are derived with (HMAC-SHA256), at least 16 characters. Default: a random one per process; after a restart,
    /// and on other nodes, clients are then assigned anew. Give all nodes the same key, from a file or variable.
    /// </summary>
    public string? Key { get; init; }

    internal const int LeastKey = 16;

    internal static readonly TimeSpan LongestLife = TimeSpan.FromDays(400);

    internal static Grammar<string> CookieName { get; } =
        new ScalarGrammar<string>(
            "a cookie name",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return HeaderGrammar.IsToken(text);
            },
            "cookie names are letters, digits and `-`, `_`, `.`"
        );

    internal static Grammar<AffinityConfig> Grammar { get; } =
        new RecordGrammar<AffinityConfig>(static f =>
        {
            var affinity = new AffinityConfig
            {
                Cookie = f.Require("cookie", CookieName),
                Lifetime = f.FindValue("lifetime", Scalars.Duration(TimeSpan.FromSeconds(1), LongestLife)),
                Key = f.Find("key", Scalars.Text),
            };
            if (affinity.Key is { Length: < LeastKey })
                f.Report(
                    "out-of-range",
                    "key",
                    $"the key has fewer than {LeastKey} characters, and could be guessed",
                    "use a random one, such as the output of `openssl rand -hex 32`"
                );
            return affinity;
        });

    /// <summary>Everything but the key, which is a secret.</summary>
    public override string ToString() => $"AffinityConfig {{ Cookie = {Cookie}, Lifetime = {Lifetime} }}";
}
