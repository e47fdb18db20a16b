using System.Security.Cryptography.X509Certificates;

namespace Lintel.Identities;

/// <summary>
/// Who sends a request, as established by an authentication policy or by the application around the gateway. Immutable, and possibly shared
/// by many requests of the same caller.
/// </summary>
/// <param name="Kind">The kind of the policy that established it, such as <c>jwt</c>; <c>host</c> for the application.</param>
/// <param name="Claims">What is known of the caller.</param>
internal sealed record CallerIdentity(string Kind, ClaimSet Claims)
{
    /// <summary>The caller's name within its issuer (<c>sub</c>); <see langword="null"/> if it has none.</summary>
    public string? Subject { get; init; } = Claims.Text("sub");

    /// <summary>The configured client, where the credential itself belongs to one; <see langword="null"/> if claims decide.</summary>
    public string? Client { get; init; }

    /// <summary>The client's certificate, where it is the credential.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>The names in <see cref="Certificate"/>.</summary>
    public CertificateNames? CertificateNames { get; init; }

    /// <summary>When the identity ends; <see langword="null"/> if it does not end by itself.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>
    /// Whether the claims contain a scope: in <c>scope</c>, separated by spaces (RFC 9068 section 2.2.3), or in <c>scp</c>, as some
    /// providers name it.
    /// </summary>
    public bool HasScope(string scope) => HasScope("scope", scope) || HasScope("scp", scope);

    /// <summary>The scopes that the claims contain.</summary>
    public IEnumerable<string> Scopes => TextsOf("scope").Concat(TextsOf("scp")).SelectMany(t => t.Split(' ')).Where(s => s.Length > 0);

    private IEnumerable<string> TextsOf(string claim) => Claims.TryFind(claim, out var value) ? ClaimSet.Texts(value) : [];

    private bool HasScope(string claim, string scope) =>
        Claims.TryFind(claim, out var value) && ClaimSet.Texts(value).Any(text => text.Split(' ').Contains(scope));
}

/// <summary>Where a request carries a credential.</summary>
internal enum CredentialPlace
{
    /// <summary>Not in the request: a certificate of the connection, for example.</summary>
    None,

    /// <summary>A header.</summary>
    Header,

    /// <summary>A query parameter.</summary>
    Query,

    /// <summary>A cookie.</summary>
    Cookie,
}

/// <summary>The credential that a request was authenticated with. Never logged.</summary>
/// <param name="Place">Where the request carries it.</param>
/// <param name="Name">The name of the header, parameter or cookie.</param>
/// <param name="AccessToken">The token that services accept as the caller's, if it is one: for <c>session</c> that of the session.</param>
internal readonly record struct Credential(CredentialPlace Place, string Name, string? AccessToken = null)
{
    /// <summary>Does not disclose the token.</summary>
    public override string ToString() => $"{Place} {Name}";
}

/// <summary>The result of an authentication, as a list: a request may have to pass several policies.</summary>
/// <param name="Identity">Who the caller is.</param>
/// <param name="Credential">The credential that proves it.</param>
/// <param name="Earlier">The result of the policy before; <see langword="null"/> for none.</param>
internal sealed record Authenticated(CallerIdentity Identity, Credential Credential, Authenticated? Earlier);
