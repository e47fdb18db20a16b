using System.Text.Json;

namespace Lintel.Identities.Providers;

/// <summary>What an OpenID provider or authorization server says of itself (OpenID Connect Discovery 1.0, RFC 8414).</summary>
/// <param name="Issuer">Its identifier, exactly as in its tokens.</param>
/// <param name="Json">The whole document.</param>
internal sealed record ProviderMetadata(string Issuer, JsonElement Json)
{
    /// <summary>The address of its keys.</summary>
    public Uri? KeySet { get; } = Address(Json, "jwks_uri", Issuer);

    /// <summary>Where users log in.</summary>
    public Uri? Authorization { get; } = Address(Json, "authorization_endpoint", Issuer);

    /// <summary>Where codes, refresh tokens and other grants become tokens.</summary>
    public Uri? Token { get; } = Address(Json, "token_endpoint", Issuer);

    /// <summary>RFC 7662.</summary>
    public Uri? Introspection { get; } = Address(Json, "introspection_endpoint", Issuer);

    /// <summary>RFC 7009.</summary>
    public Uri? Revocation { get; } = Address(Json, "revocation_endpoint", Issuer);

    /// <summary>OpenID Connect RP-Initiated Logout 1.0.</summary>
    public Uri? EndSession { get; } = Address(Json, "end_session_endpoint", Issuer);

    /// <summary>RFC 9126.</summary>
    public Uri? PushedAuthorization { get; } = Address(Json, "pushed_authorization_request_endpoint", Issuer);

    /// <summary>OpenID Connect Core 1.0 section 5.3.</summary>
    public Uri? UserInfo { get; } = Address(Json, "userinfo_endpoint", Issuer);

    /// <summary>Whether every answer of the authorization endpoint names the issuer (RFC 9207).</summary>
    public bool NamesItselfInResponses { get; } =
        Json.TryGetProperty("authorization_response_iss_parameter_supported", out var names) && names.ValueKind == JsonValueKind.True;

    /// <summary>Parses a metadata document.</summary>
    /// <exception cref="ProviderException">It is another issuer's (OpenID Connect Discovery 1.0 section 4.3), or malformed.</exception>
    public static ProviderMetadata Parse(JsonElement json, string issuer)
    {
        if (
            json.ValueKind != JsonValueKind.Object
            || !json.TryGetProperty("issuer", out var value)
            || value.ValueKind != JsonValueKind.String
            || !value.ValueEquals(issuer)
        )
            throw new ProviderException($"the metadata of {issuer} names another issuer, or none: they must be equal to the character");
        return new ProviderMetadata(issuer, json);
    }

    /// <summary>Whether a list of the document contains a value; also the given default if the list is absent.</summary>
    public bool Supports(string list, string value, bool byDefault = false)
    {
        if (!Json.TryGetProperty(list, out var all) || all.ValueKind != JsonValueKind.Array)
            return byDefault;
        return all.EnumerateArray().Any(v => v.ValueKind == JsonValueKind.String && v.ValueEquals(value));
    }

    /// <exception cref="ProviderException">It is not an address, or not as secure as the issuer: secrets are sent there.</exception>
    private static Uri? Address(JsonElement json, string name, string issuer)
    {
        if (!json.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return null;
        if (
            value.ValueKind == JsonValueKind.String
            && Uri.TryCreate(value.GetString(), UriKind.Absolute, out var address)
            && (address.Scheme == "https" || (address.Scheme == "http" && issuer.StartsWith("http:", StringComparison.Ordinal)))
        )
            return address;
        throw new ProviderException($"`{name}` in the metadata of {issuer} is not an https address");
    }
}
