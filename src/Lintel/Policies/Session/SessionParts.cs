using Lintel.Identities.Providers;
using Lintel.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace Lintel.Policies.Session;

/// <summary>What the parts of a policy share.</summary>
internal sealed record SessionParts(SessionConfig Config, SessionProvider Provider, SessionStore Sessions, SessionCookies Cookies)
{
    public required string Place { get; init; }

    public required TimeProvider Time { get; init; }

    public required GatewayMetrics Metrics { get; init; }

    public required ILogger Log { get; init; }

    /// <summary>Counts what has happened to a session.</summary>
    public void Count(string what) => Metrics.SessionChanged(Place, what);

    /// <summary>Revokes a session's refresh token as far as that is possible: the session itself has ended in any case.</summary>
    public async Task RevokeAsync(UserSession session)
    {
        if (session.Tokens.Refresh is not { } token)
            return;
        try
        {
            await Provider.RevokeAsync(token, CancellationToken.None).ConfigureAwait(false);
        }
        catch (ProviderException e)
        {
            Log.RevocationFailed(Place, e.Message);
        }
    }
}

/// <summary>What a policy logs on its own. No message contains a token.</summary>
internal static partial class SessionLog
{
    [LoggerMessage(1, LogLevel.Warning, "{Policy}: the tokens of a session could not be refreshed: {Problem}")]
    public static partial void RefreshFailed(this ILogger log, string policy, string problem);

    [LoggerMessage(2, LogLevel.Warning, "{Policy}: a refresh token could not be revoked at a logout: {Problem}")]
    public static partial void RevocationFailed(this ILogger log, string policy, string problem);
}
