using System.Collections.Concurrent;
using System.Net;
using Lintel.Identities.Providers;

namespace Lintel.Policies.Session;

/// <summary>Refreshes the tokens of sessions, those of a session by one request at a time.</summary>
/// <remarks>
/// Refresh tokens are often valid once: a second request with the same one would count as theft, and the provider would end everything.
/// Thread rule: any number of callers; those of the same session share one refresh, which does not end with any of them.
/// </remarks>
internal sealed class SessionRefresh(SessionParts parts)
{
    private readonly ConcurrentDictionary<string, Lazy<Task<RefreshedSession>>> _running = new(StringComparer.Ordinal);

    /// <summary>Returns a session whose access token has not ended.</summary>
    /// <remarks>A token that ends soon is refreshed in the background, and this request uses it as it is.</remarks>
    public ValueTask<RefreshedSession> EnsureAsync(string key, UserSession session, CancellationToken cancellationToken)
    {
        var now = parts.Time.GetUtcNow();
        if (session.Tokens.AccessEnds <= now)
            return new(RefreshFirstAsync(key, cancellationToken));
        if (session.Tokens.RefreshAt <= now && IsDue(session))
            _ = RunAsync(key);
        return new(new RefreshedSession(session, null));
    }

    /// <summary>Waits for a refresh. One that began while the token was valid may have failed, and the token ended meanwhile.</summary>
    private async Task<RefreshedSession> RefreshFirstAsync(string key, CancellationToken cancellationToken)
    {
        var refreshed = await RunAsync(key).WaitAsync(cancellationToken).ConfigureAwait(false);
        return refreshed.Session?.Tokens.AccessEnds <= parts.Time.GetUtcNow()
            ? new RefreshedSession(null, refreshed.Problem ?? "the access token has ended")
            : refreshed;
    }

    /// <summary>Whether the last attempt is long enough ago: a provider that is down is not asked for every request.</summary>
    private bool IsDue(UserSession session) =>
        session.Attempted == 0 || parts.Time.GetElapsedTime(session.Attempted) >= Refreshed<object>.Pause;

    private Task<RefreshedSession> RunAsync(string key) =>
        _running
            .GetOrAdd(key, static (k, self) => new Lazy<Task<RefreshedSession>>(() => Task.Run(() => self.RefreshAsync(k))), this)
            .Value;

    private async Task<RefreshedSession> RefreshAsync(string key)
    {
        try
        {
            return await TryRefreshAsync(key).ConfigureAwait(false);
        }
        finally
        {
            _running.TryRemove(key, out _);
        }
    }

    private async Task<RefreshedSession> TryRefreshAsync(string key)
    {
        // Read again: a refresh may have completed between the caller's look at the session and this one.
        if (await parts.Sessions.FindAsync(key, isUse: false, CancellationToken.None).ConfigureAwait(false) is not { } session)
            return default;
        var now = parts.Time.GetUtcNow();
        var hasEnded = session.Tokens.AccessEnds <= now;
        if (!hasEnded && !(session.Tokens.RefreshAt <= now))
            return new RefreshedSession(session, null);
        if (session.Tokens.Refresh is not { } token)
        {
            await EndAsync(key, "expired").ConfigureAwait(false);
            return default;
        }

        if (!IsDue(session))
            return new RefreshedSession(hasEnded ? null : session, "the last refresh failed a moment ago");
        session.Attempted = parts.Time.GetTimestamp();
        try
        {
            var answer = await parts.Provider.RefreshAsync(token, CancellationToken.None).ConfigureAwait(false);
            if (answer.Status == HttpStatusCode.OK)
                return await TakeAsync(key, session, answer).ConfigureAwait(false);
            if (answer.Text("error") != "invalid_grant")
                throw new ProviderException("the refresh was refused: " + SessionProvider.ErrorOf(answer));
        }
        catch (Exception e) when (e is ProviderException or TokenException)
        {
            parts.Count("refresh-failed");
            parts.Log.RefreshFailed(parts.Place, e.Message);
            return new RefreshedSession(hasEnded ? null : session, e.Message);
        }

        await EndAsync(key, "refused").ConfigureAwait(false);
        return default;
    }

    private async Task<RefreshedSession> TakeAsync(string key, UserSession session, ProviderAnswer answer)
    {
        var tokens = SessionTokens.Of(answer, session.Tokens, parts.Config, parts.Time.GetUtcNow());
        if (answer.Text("id_token") is { } id)
        {
            var claims = await parts.Provider.Tokens.ValidateAsync(id, null, tokens.Access, CancellationToken.None).ConfigureAwait(false);
            if (claims.Text("sub") != session.Identity.Subject)
                throw new TokenException("the refreshed ID token is another user's");
            tokens = tokens with { Id = id };
        }

        var next = session.With(tokens);
        if (await parts.Sessions.ReplaceAsync(key, next, CancellationToken.None).ConfigureAwait(false))
        {
            parts.Count("refreshed");
            return new RefreshedSession(next, null);
        }

        await parts.RevokeAsync(next).ConfigureAwait(false); // its user has logged out meanwhile
        return default;
    }

    private async Task EndAsync(string key, string why)
    {
        await parts.Sessions.RemoveAsync(key, CancellationToken.None).ConfigureAwait(false);
        parts.Count(why);
    }
}

/// <summary>The result of a refresh.</summary>
/// <param name="Session">The session with a valid access token; <see langword="null"/> if there is none.</param>
/// <param name="Problem">Why it could not be refreshed; without it and without a session, the session has ended.</param>
internal readonly record struct RefreshedSession(UserSession? Session, string? Problem);
