using System.Text.Json;

namespace Lintel.Identities.Providers;

/// <summary>An identity provider that is known by its issuer: its metadata, fetched once and refreshed while it is in use.</summary>
/// <remarks>
/// The last good metadata is used while the provider does not answer. Thread rule: any number of callers, of which one fetches and the
/// others wait for it.
/// </remarks>
internal sealed class OpenIdProvider(string issuer, ProviderClient client, TimeProvider time)
{
    /// <summary>Metadata changes rarely, keys are looked up on their own: Microsoft's and Envoy's defaults are 12 h and 1 h.</summary>
    private static readonly TimeSpan Freshness = TimeSpan.FromHours(1);

    private readonly Refreshed<ProviderMetadata> _metadata = new(token => FetchAsync(issuer, client, token), Freshness, time);

    public string Issuer => issuer;

    public ProviderClient Client => client;

    /// <summary>The metadata.</summary>
    /// <exception cref="ProviderException">The provider has never answered.</exception>
    public ValueTask<ProviderMetadata> MetadataAsync(CancellationToken cancellationToken) => _metadata.GetAsync(cancellationToken);

    private static async Task<ProviderMetadata> FetchAsync(string issuer, ProviderClient client, CancellationToken cancellationToken)
    {
        var address = new Uri(issuer.TrimEnd('/') + "/.well-known/openid-configuration");
        JsonElement document;
        try
        {
            document = await client.GetAsync(address, cancellationToken).ConfigureAwait(false);
        }
        catch (ProviderException) when (OAuthAddress(issuer) is { } other)
        {
            document = await client.GetAsync(other, cancellationToken).ConfigureAwait(false);
        }

        return ProviderMetadata.Parse(document, issuer);
    }

    /// <summary>RFC 8414 section 3.1 puts the well-known part between host and path.</summary>
    private static Uri? OAuthAddress(string issuer)
    {
        var address = new Uri(issuer);
        return new Uri(address, "/.well-known/oauth-authorization-server" + address.AbsolutePath.TrimEnd('/'));
    }
}
