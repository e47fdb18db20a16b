using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Identities.Providers;

namespace Lintel.Policies.Session;

/// <summary>A user's session. Immutable: a refresh makes a new one.</summary>
internal sealed class UserSession
{
    private long _attempted;

    /// <summary>What is known of the user: the claims of the ID token, those of UserInfo, and the granted scopes.</summary>
    public required ClaimSet Claims { get; init; }

    /// <summary>When the user logged in.</summary>
    public required DateTimeOffset Begun { get; init; }

    /// <summary>When the session ends in any case.</summary>
    public required DateTimeOffset Ends { get; init; }

    /// <summary>The tokens of the provider.</summary>
    public required SessionTokens Tokens { get; init; }

    /// <summary>Who the caller of the session's requests is.</summary>
    public CallerIdentity Identity => field ??= new CallerIdentity(SessionConfig.Key, Claims) { Expires = Ends };

    /// <summary>What services receive in <c>Authorization</c>.</summary>
    public string Authorization => field ??= "Bearer " + Tokens.Access;

    /// <summary>The provider's identifier of its own session; <see langword="null"/> if it has said none.</summary>
    public string? ProviderSession => Claims.Text("sid");

    /// <summary>When a refresh was last attempted in this process, as a timestamp; 0 for never.</summary>
    public long Attempted
    {
        get => Volatile.Read(ref _attempted);
        set => Volatile.Write(ref _attempted, value);
    }

    /// <summary>The keys of the marks that end it, computed by its store when they are first needed.</summary>
    public SessionMarks? Marks { get; set; }

    /// <summary>The session with other tokens.</summary>
    public UserSession With(SessionTokens tokens) =>
        new()
        {
            Claims = Claims,
            Begun = Begun,
            Ends = Ends,
            Tokens = tokens,
        };

    public byte[] Write()
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WritePropertyName("claims"u8);
        Claims.Root.WriteTo(json);
        json.WriteNumber("begun"u8, Begun.ToUnixTimeMilliseconds());
        json.WriteNumber("ends"u8, Ends.ToUnixTimeMilliseconds());
        json.WriteString("access"u8, Tokens.Access);
        if (Tokens.AccessEnds is { } ends)
            json.WriteNumber("accessEnds"u8, ends.ToUnixTimeMilliseconds());
        if (Tokens.RefreshAt is { } refresh)
            json.WriteNumber("refreshAt"u8, refresh.ToUnixTimeMilliseconds());
        if (Tokens.Refresh is { } token)
            json.WriteString("refresh"u8, token);
        json.WriteString("id"u8, Tokens.Id);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Write"/> has written; nobody else writes to the store.</summary>
    public static UserSession Read(byte[] bytes)
    {
        using var document = JsonDocument.Parse(bytes);
        var json = document.RootElement;
        return new UserSession
        {
            Claims = new ClaimSet(json.GetProperty("claims"u8).Clone()),
            Begun = Time("begun")!.Value,
            Ends = Time("ends")!.Value,
            Tokens = new SessionTokens(json.GetProperty("access"u8).GetString()!, json.GetProperty("id"u8).GetString()!)
            {
                AccessEnds = Time("accessEnds"),
                RefreshAt = Time("refreshAt"),
                Refresh = json.TryGetProperty("refresh"u8, out var refresh) ? refresh.GetString() : null,
            },
        };

        DateTimeOffset? Time(string name) =>
            json.TryGetProperty(name, out var value) ? DateTimeOffset.FromUnixTimeMilliseconds(value.GetInt64()) : null;
    }

    /// <summary>Discloses nothing.</summary>
    public override string ToString() => "a session until " + Ends.ToString("u", CultureInfo.InvariantCulture);
}

/// <summary>The tokens of a session.</summary>
/// <param name="Access">The access token.</param>
/// <param name="Id">The ID token of the login, which a logout at the provider names.</param>
internal sealed record SessionTokens(string Access, string Id)
{
    /// <summary>A year: longer than any session.</summary>
    private const long MaxLifetime = 365 * 24 * 3600;

    /// <summary>When the access token ends; <see langword="null"/> if the provider has not said it.</summary>
    public DateTimeOffset? AccessEnds { get; init; }

    /// <summary>When it is refreshed; <see langword="null"/> for never.</summary>
    public DateTimeOffset? RefreshAt { get; init; }

    /// <summary>The refresh token; <see langword="null"/> for none.</summary>
    public string? Refresh { get; init; }

    /// <summary>Takes the tokens of an answer (RFC 6749 section 5.1).</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="before">The tokens of the session; <see langword="null"/> at its beginning.</param>
    /// <param name="config">The policy.</param>
    /// <param name="now">The current time.</param>
    /// <exception cref="ProviderException">It has no access token for anybody who bears it.</exception>
    public static SessionTokens Of(ProviderAnswer answer, SessionTokens? before, SessionConfig config, DateTimeOffset now)
    {
        if (answer.Text("access_token") is not { Length: > 0 } access || !access.All(static c => c is > ' ' and < '\x7f'))
            throw new ProviderException("the provider's answer has no access token");
        if (!"bearer".Equals(answer.Text("token_type"), StringComparison.OrdinalIgnoreCase))
            throw new ProviderException("the provider's access token is not a bearer token");
        var refresh = answer.Text("refresh_token") ?? before?.Refresh;
        var lifetime = LifetimeOf(answer);
        return new SessionTokens(access, before?.Id ?? "")
        {
            Refresh = refresh,
            AccessEnds = now + lifetime,
            RefreshAt = refresh is null
                ? null
                : now + lifetime - TimeSpan.FromTicks(Math.Min(config.RefreshAhead.Ticks, (lifetime?.Ticks ?? 0) / 2)),
        };
    }

    /// <summary>Discloses nothing.</summary>
    public override string ToString() => nameof(SessionTokens);

    private static TimeSpan? LifetimeOf(ProviderAnswer answer) =>
        answer.Json is { } json
        && json.TryGetProperty("expires_in", out var value)
        && value.ValueKind == JsonValueKind.Number
        && value.TryGetInt64(out var seconds)
            ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, MaxLifetime))
            : null;
}

/// <summary>The keys of the marks that end sessions.</summary>
/// <param name="Subject">The mark of the user; <see langword="null"/> for none.</param>
/// <param name="Session">The mark of the provider's session; <see langword="null"/> for none.</param>
internal sealed record SessionMarks(string? Subject, string? Session);
