using System.Collections.Frozen;
using System.Text;
using System.Text.Json.Nodes;
using Lintel.Identities;
using Lintel.Pipeline;

namespace Lintel.Policies.Basic;

/// <summary>Phase 2: recognizes users by name and password.</summary>
internal sealed class BasicPolicy : AuthenticationPolicy, IDisposable
{
    /// <summary>Beyond any name with any password; longer ones are refused before anything is decoded.</summary>
    private const int MaxCredentials = 1024;

    private const string Scheme = "Basic ";

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly FrozenDictionary<string, BasicUser> _users;
    private readonly BasicUser _nobody;
    private readonly PasswordChecks _checks;
    private readonly string[] _challenges;

    public BasicPolicy(BasicConfig config, PolicyParts parts, int? checksAtATime = null)
    {
        _users = config.Users.ToFrozenDictionary(u => u.Key, u => UserOf(u.Key, u.Value), StringComparer.Ordinal);
        _nobody = new BasicUser(null, PasswordHash.OfNothing(Longest(_users.Values)));
        _checks = new PasswordChecks(parts.Time, checksAtATime ?? Math.Max(1, Environment.ProcessorCount / 2));
        var realm = config.Realm.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        _challenges = [$"Basic realm=\"{realm}\", charset=\"UTF-8\""];
    }

    public override async ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange)
    {
        var values = exchange.Request.Headers.Authorization;
        if (values.Count == 0)
            return AuthenticationResult.Absent;
        if (values is not [{ } value]) // which of several counts is a matter of opinion
            return AuthenticationResult.Invalid("invalid_request", "more than one `Authorization` was sent");
        if (!value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return AuthenticationResult.Absent;
        if (!TryRead(value[Scheme.Length..].Trim(' '), out var name, out var password))
            return AuthenticationResult.Invalid("invalid_request", "the credentials are malformed");
        var user = _users.GetValueOrDefault(name) ?? _nobody;
        return await _checks.CheckAsync(user, password, exchange.Aborted).ConfigureAwait(false) switch
        {
            true => AuthenticationResult.Accept(user.Identity!, new Credential(CredentialPlace.Header, "Authorization")),
            false => AuthenticationResult.Invalid("invalid_token", "the user or the password is not valid"),
            null => AuthenticationResult.Unavailable("too many passwords are being checked at a time"),
        };
    }

    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) => _challenges;

    /// <summary>An invalid configuration, which is compiled to find all of its problems, may have no users.</summary>
    private static int Longest(IEnumerable<BasicUser> users) =>
        users.Select(u => u.Password.Iterations).DefaultIfEmpty(PasswordHash.UsualIterations).Max();

    public void Dispose() => _checks.Dispose();

    private static BasicUser UserOf(string name, BasicUserConfig config)
    {
        if (!PasswordHash.TryParse(config.Password, out var password))
            throw new FormatException($"the password of `{name}` is not a hash");
        var claims = new JsonObject { ["sub"] = name };
        if (config.Roles.Count > 0)
            claims["roles"] = new JsonArray([.. config.Roles.Select(r => (JsonNode)r)]);
        if (config.Scopes.Count > 0)
            claims["scope"] = string.Join(' ', config.Scopes);
        return new BasicUser(new CallerIdentity(BasicConfig.Key, ClaimSet.Of(claims)), password);
    }

    /// <summary>Reads credentials: RFC 7617 section 2, in UTF-8, without control characters.</summary>
    private static bool TryRead(string encoded, out string name, out byte[] password)
    {
        (name, password) = ("", []);
        if (encoded.Length is 0 or > MaxCredentials || encoded.Any(char.IsWhiteSpace))
            return false;
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var length))
            return false;
        var text = bytes.AsSpan(0, length);
        var colon = text.IndexOf((byte)':');
        if (colon < 0 || text.ContainsAnyInRange((byte)0, (byte)0x1f) || text.Contains((byte)0x7f))
            return false;
        try
        {
            _ = Strict.GetCharCount(text);
            (name, password) = (Strict.GetString(text[..colon]), text[(colon + 1)..].ToArray());
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}

/// <summary>A user, and the password that was checked last.</summary>
/// <param name="Identity">Who it is; <see langword="null"/> for nobody, whom no password is for.</param>
/// <param name="Password">The hash of its password.</param>
internal sealed record BasicUser(CallerIdentity? Identity, PasswordHash Password)
{
    /// <summary>The last correct password as a keyed hash; a user has one password, so this is the whole memory of it.</summary>
    public volatile Remembered? Last;

    /// <summary>Does not disclose anything of the password.</summary>
    public override string ToString() => Identity?.Subject ?? "nobody";

    /// <summary>A password that was correct.</summary>
    /// <param name="Mac">Its keyed hash.</param>
    /// <param name="Timestamp">When it was checked.</param>
    internal sealed record Remembered(byte[] Mac, long Timestamp);
}
