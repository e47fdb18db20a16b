using System.Security.Cryptography;
using System.Text;
using Lintel.Errors;
using Lintel.Identities.Providers;
using Lintel.Pipeline;

namespace Lintel.Policies.Identity;

/// <summary>Gets the tokens that services receive from a provider: in exchange for the caller's, or for the gateway itself.</summary>
internal sealed class TokenSource : IDisposable
{
    private const string AccessToken = "urn:ietf:params:oauth:token-type:access_token";

    private const string Jwt = "urn:ietf:params:oauth:token-type:jwt";

    /// <summary>Thousands of tokens may fail at once: one line tells it.</summary>
    private static readonly TimeSpan LogPause = TimeSpan.FromSeconds(10);

    private readonly PolicyParts _parts;
    private readonly TokenRequestConfig _config;
    private readonly TokenEndpoint _endpoint;
    private readonly IssuedTokens _tokens;
    private readonly bool _exchanges;
    private long _logged;

    /// <exception cref="FormatException">A key cannot be used.</exception>
    public TokenSource(CredentialsConfig config, PolicyParts parts)
    {
        _parts = parts;
        _config = config.Request!;
        _exchanges = config.Exchange is not null;
        _endpoint = new TokenEndpoint(_config, _config.Address, parts.Time);
        _tokens = new IssuedTokens(parts.Time, OnNotRenewed);
    }

    /// <summary>Returns the token for a request, or why there is none.</summary>
    public async ValueTask<(string? Token, GatewayError? Error)> GetAsync(Exchange exchange)
    {
        var subject = _exchanges ? SubjectToken(exchange) : null;
        if (_exchanges && subject is null)
            return (null, Refuse("the caller has no access token that could be exchanged"));
        try
        {
            var key = subject is null ? "" : Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(subject)));
            var issued = await _tokens.GetAsync(key, () => RequestAsync(subject), exchange.Aborted).ConfigureAwait(false);
            if (issued.Error is null)
                return (issued.Value, null);
            return (
                null,
                _exchanges ? Refuse($"the provider does not exchange the caller's token: {issued.Error}") : Unavailable(issued.Error, null)
            );
        }
        catch (ProviderException e)
        {
            return (null, Unavailable(e.Message, e));
        }
    }

    public void Dispose() => _endpoint.Dispose();

    private static GatewayError Refuse(string detail) => new(GatewayErrorKind.Forbidden) { LogDetail = detail };

    private static GatewayError Unavailable(string detail, Exception? cause) =>
        new(GatewayErrorKind.AuthenticationUnavailable, Cause: cause) { LogDetail = "the token for the service: " + detail };

    /// <summary>The access token of the caller: of the last credential that is one.</summary>
    private static string? SubjectToken(Exchange exchange)
    {
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Credential.AccessToken is { } token)
                return token;
        }

        return null;
    }

    private void OnNotRenewed(ProviderException failure)
    {
        var (last, now) = (Volatile.Read(ref _logged), _parts.Time.GetTimestamp());
        if (last != 0 && _parts.Time.GetElapsedTime(last, now) < LogPause)
            return;
        if (Interlocked.CompareExchange(ref _logged, now, last) == last)
            IdentityLog.NotRenewed(_parts.Log, _parts.Place, failure.Message);
    }

    private async Task<IssuedToken> RequestAsync(string? subject)
    {
        var form = new List<KeyValuePair<string, string>>();
        if (subject is null)
            form.Add(new("grant_type", "client_credentials"));
        else
        {
            form.Add(new("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"));
            form.Add(new("subject_token", subject));
            form.Add(new("subject_token_type", AccessToken));
            form.Add(new("requested_token_type", AccessToken));
        }

        form.AddRange(_config.Audience.Select(a => KeyValuePair.Create("audience", a)));
        form.AddRange(_config.Resource.Select(r => KeyValuePair.Create("resource", r)));
        if (_config.Scope.Count > 0)
            form.Add(new("scope", string.Join(' ', _config.Scope)));
        var issued = await _endpoint.RequestAsync(form, CancellationToken.None).ConfigureAwait(false); // bounded by `timeout`
        if (subject is not null && issued.Error is null && issued.Type is not (AccessToken or Jwt)) // RFC 8693 section 2.2.1 requires it
            throw new ProviderException("the provider answered with a token of another type than was asked for");
        return issued;
    }
}
