using System.Globalization;
using System.Text.Json;
using Lintel.Config;

namespace Lintel.Identities.Providers;

/// <summary>The token endpoint of a provider, at which the gateway gets tokens with a credential of its own.</summary>
/// <remarks>Thread rule: any number of requests at a time.</remarks>
internal sealed class TokenEndpoint : IDisposable
{
    private readonly ProviderClient _client;
    private readonly ClientAuthentication _authentication;
    private readonly OpenIdProvider? _provider;
    private readonly Uri? _address;
    private readonly TimeProvider _time;

    /// <param name="config">The provider and the gateway's credential there.</param>
    /// <param name="address">The endpoint; <see langword="null"/> for the one in the provider's metadata.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="FormatException">A key cannot be used.</exception>
    public TokenEndpoint(ProviderClientConfig config, Uri? address, TimeProvider time)
    {
        (_address, _time) = (address, time);
        _authentication = new ClientAuthentication(config);
        _client = new ProviderClient(config.Authorities, config.Timeout);
        _provider = address is null ? new OpenIdProvider(config.Issuer!, _client, time) : null;
    }

    /// <summary>Requests a token.</summary>
    /// <param name="form">What is asked for, without the gateway's credential.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="ProviderException">There is no answer that can be understood, or the gateway itself is refused.</exception>
    public async Task<IssuedToken> RequestAsync(List<KeyValuePair<string, string>> form, CancellationToken cancellationToken)
    {
        var address = _address ?? (await _provider!.MetadataAsync(cancellationToken).ConfigureAwait(false)).Token;
        if (address is null)
            throw new ProviderException($"the metadata of {_provider!.Issuer} has no `token_endpoint`");
        _authentication.AddTo(form, _provider?.Issuer ?? address.AbsoluteUri, _time.GetUtcNow());
        var asked = _time.GetUtcNow();
        var answer = await _client.PostAsync(address, form, _authentication.Header, cancellationToken).ConfigureAwait(false);
        return Read(answer, address, asked);
    }

    public void Dispose()
    {
        _client.Dispose();
        _authentication.Dispose();
    }

    private static IssuedToken Read(ProviderAnswer answer, Uri address, DateTimeOffset asked)
    {
        var status = (int)answer.Status;
        if (status is 400 or 401 or 403 && answer.Text("error") is { } error)
        {
            // RFC 8693 section 2.2.2: a token that is not accepted, for whatever reason, is an invalid request. All other errors are about
            // the gateway: its credential, or what it asks for.
            if (error is "invalid_request" or "invalid_grant" or "invalid_token" or "access_denied")
                return IssuedToken.Refused(Printable(error));
            throw new ProviderException($"{address} answered {status} with the error {Printable(error)}");
        }

        if (status != 200 || answer.Json is null)
            throw new ProviderException($"{address} answered {status}{(answer.Json is null ? " without JSON" : "")}");
        var token = answer.Text("access_token");
        if (string.IsNullOrEmpty(token) || token.AsSpan().ContainsAnyExceptInRange('!', '~')) // RFC 6750 section 2.1, and no line breaks
            throw new ProviderException($"{address} answered without a usable `access_token`");
        if (!"Bearer".Equals(answer.Text("token_type"), StringComparison.OrdinalIgnoreCase))
            throw new ProviderException($"{address} answered with a token of another type than `Bearer`");
        return new IssuedToken(token, answer.Text("issued_token_type"), asked + Lifetime(answer.Json.Value), null);
    }

    /// <summary>RFC 6749 section 5.1: the member is recommended. A token of unknown lifetime is not kept for long.</summary>
    private static TimeSpan Lifetime(JsonElement json)
    {
        if (!json.TryGetProperty("expires_in", out var value))
            return TimeSpan.FromMinutes(1);
        var text = value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText(); // some providers send text
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0
            ? TimeSpan.FromSeconds(Math.Min(seconds, TimeSpan.FromDays(1).TotalSeconds))
            : TimeSpan.Zero;
    }

    private static string Printable(string text) =>
        text.Length <= 64 && !text.AsSpan().ContainsAnyExceptInRange(' ', '~') ? text : "(not printable)";
}

/// <summary>What a provider answered to a request for a token.</summary>
/// <param name="Value">The token; empty if it was refused.</param>
/// <param name="Type">Its type (RFC 8693 section 3); <see langword="null"/> if the provider does not say.</param>
/// <param name="Expires">When it ends.</param>
/// <param name="Error">The code of the error with which it was refused; <see langword="null"/> if it was not.</param>
internal sealed record IssuedToken(string Value, string? Type, DateTimeOffset Expires, string? Error)
{
    /// <summary>The caller's token was not accepted.</summary>
    public static IssuedToken Refused(string error) => new("", null, default, error);

    /// <summary>Does not disclose the token.</summary>
    public override string ToString() => Error ?? $"a token until {Expires:u}";
}
