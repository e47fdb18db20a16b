using System.Text.Json;

namespace Lintel.Identities.Tokens;

/// <summary>The key that a token is bound to (<c>cnf</c>, RFC 7800): only who proves to have it may use the token.</summary>
/// <param name="Key">The thumbprint of a key (<c>jkt</c>, RFC 9449 section 6.1); <see langword="null"/> for none.</param>
/// <param name="Certificate">The SHA-256 thumbprint of a certificate (<c>x5t#S256</c>, RFC 8705 section 3.1); <see langword="null"/> for
/// none.</param>
internal sealed record Confirmation(string? Key, string? Certificate)
{
    private const string KeyMember = "jkt";
    private const string CertificateMember = "x5t#S256";

    /// <summary>Reads the claim.</summary>
    /// <param name="claims">The claims of a token.</param>
    /// <param name="confirmation">The binding; <see langword="null"/> if the token is not bound.</param>
    /// <returns>False if the token is bound in a way that cannot be checked.</returns>
    public static bool TryRead(JsonElement claims, out Confirmation? confirmation)
    {
        confirmation = null;
        if (!claims.TryGetProperty("cnf", out var cnf))
            return true;
        if (cnf.ValueKind != JsonValueKind.Object)
            return false;
        string? key = null;
        string? certificate = null;
        foreach (var member in cnf.EnumerateObject())
        {
            if (member.Value.ValueKind != JsonValueKind.String)
                return false;
            if (member.NameEquals(KeyMember))
                key = member.Value.GetString();
            else if (member.NameEquals(CertificateMember))
                certificate = member.Value.GetString();
            else
                return false;
        }

        confirmation = new Confirmation(key, certificate);
        return key is not null || certificate is not null;
    }
}
