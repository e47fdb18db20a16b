using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Identities;

namespace Lintel.Policies.Basic;

/// <summary>Requires a user's name and password (HTTP Basic, RFC 7617), for a few operators and not for customers.</summary>
/// <remarks>
/// Passwords are sent with every request: routes with this policy belong on <c>https</c>. A password is checked off the event loops, a few
/// at a time; a correct one is remembered for 5 minutes, as a keyed hash in memory.
/// </remarks>
public sealed record BasicConfig : PolicyConfig
{
    internal const string Key = "basic";

    /// <summary>The users by their names, which have no colon and at most 128 characters. At least one.</summary>
    public required ValueMap<BasicUserConfig> Users { get; init; }

    /// <summary>The protection space that browsers show to their user, up to 128 characters. Default <c>restricted</c>.</summary>
    public string Realm { get; init; } = DefaultRealm;

    private const string DefaultRealm = "restricted";

    private const int Longest = 128;

    private const string NoUsersHint = "add a user: `kim: \"pbkdf2-sha256:…\"`; `lintel password hash` makes the hash";

    /// <summary>RFC 7617 section 2: no colon, no control characters.</summary>
    private static Grammar<string> UserGrammar { get; } =
        new ScalarGrammar<string>(
            "the name of a user",
            $"^[^:\\x00-\\x1f\\x7f]{{1,{Longest}}}$",
            static (string text, out string value) =>
            {
                value = text;
                return text.Length is > 0 and <= Longest && !text.Contains(':') && !text.Any(char.IsControl);
            },
            "a name has no colon, no control characters, and at most 128 characters"
        );

    private static Grammar<string> RealmGrammar { get; } =
        new ScalarGrammar<string>(
            "a realm",
            $"^[ -~]{{1,{Longest}}}$",
            static (string text, out string value) =>
            {
                value = text;
                return text.Length is > 0 and <= Longest && text.All(static c => c is >= ' ' and <= '~');
            },
            "write printable ASCII characters"
        );

    internal static Grammar<BasicConfig> Grammar { get; } =
        new RecordGrammar<BasicConfig>(static f =>
        {
            var basic = new BasicConfig
            {
                Users = f.FilledMap("users", BasicUserConfig.Grammar, NoUsersHint, UserGrammar),
                Realm = f.Get("realm", RealmGrammar, DefaultRealm),
            };
            if (f.IsReading && !f.Has("users"))
                f.Report("missing-key", "users", "the policy has no users", NoUsersHint);
            return basic;
        });

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem =>
        Users.Count == 0 ? ("the policy has no users", NoUsersHint)
        : Users.Any(u => !PasswordHash.TryParse(u.Value.Password, out _))
            ? ("the password of a user is not a hash", "`lintel password hash` makes it")
        : null;
}

/// <summary>A user of <c>basic</c>.</summary>
public sealed record BasicUserConfig
{
    /// <summary>
    /// The hash of the password, as <c>lintel password hash</c> prints it: <c>pbkdf2-sha256:ITERATIONS:SALT:HASH</c>, with 100 000 to 10
    /// 000 000 iterations.
    /// </summary>
    public required string Password { get; init; }

    /// <summary>The roles of the user, for <c>authorize</c>. Default: none.</summary>
    public ValueList<string> Roles { get; init; } = [];

    /// <summary>The scopes of the user, for <c>authorize</c>. Default: none.</summary>
    public ValueList<string> Scopes { get; init; } = [];

    /// <summary>What is written is not repeated: it may be the password itself.</summary>
    private static Grammar<string> HashGrammar { get; } =
        new ScalarGrammar<string>(
            "the hash of a password: `pbkdf2-sha256:ITERATIONS:SALT:HASH`, with 100 000 to 10 000 000 iterations",
            "^pbkdf2-sha256:[0-9]{6,8}:[A-Za-z0-9_-]+:[A-Za-z0-9_-]{43}$",
            static (string text, out string value) =>
            {
                value = text;
                return PasswordHash.TryParse(text, out _);
            },
            "`lintel password hash` makes it"
        )
        {
            IsSecret = true,
        };

    internal static Grammar<BasicUserConfig> Grammar { get; } =
        new ShortFormGrammar<BasicUserConfig>(
            static (Config.Reading.ScalarNode scalar, KeyPath path, ConfigReport report, out BasicUserConfig value) =>
            {
                var isRead = HashGrammar.TryRead(scalar, path, report, out var hash);
                value = isRead ? new BasicUserConfig { Password = hash } : null!;
                return isRead;
            },
            "The hash of the password",
            new RecordGrammar<BasicUserConfig>(static f => new BasicUserConfig
            {
                Password = f.Require("password", HashGrammar),
                Roles = f.List("roles", Scalars.Text, allowSingle: true),
                Scopes = f.List("scopes", ClientConfig.ScopeGrammar, allowSingle: true),
            })
        );

    /// <summary>Everything but the hash, with which passwords can be tried.</summary>
    public override string ToString() => $"BasicUserConfig {{ Roles = {string.Join(' ', Roles)}, Scopes = {string.Join(' ', Scopes)} }}";
}
