using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.ClientCertificate;

/// <summary>Requires a client certificate of the connection, issued by these authorities (mutual TLS).</summary>
/// <remarks>
/// The listener asks for the certificate (<c>clientCertificates</c>) and refuses what its own authorities have not issued; the policy
/// decides for its routes, with each request. A request for another host than the one that the TLS connection was made for gets a 421, and
/// its client opens another connection. Revocation is not checked.
/// </remarks>
public sealed record ClientCertificateConfig : PolicyConfig
{
    internal const string Key = "clientCertificate";

    /// <summary>
    /// A PEM file with the root certificates that are trusted, and intermediate ones. The file is watched: removed authorities are no
    /// longer trusted, on open connections either.
    /// </summary>
    public required string Authorities { get; init; }

    /// <summary>
    /// The accepted names, of which the certificate must have one as a subject alternative name: DNS names with <c>*.</c> for one label,
    /// URIs with <c>*</c> for one segment and a final <c>**</c> for any number, email addresses with <c>*@</c> for anyone. Default: every
    /// certificate of the authorities.
    /// </summary>
    public ValueList<string> Names { get; init; } = [];

    internal static Grammar<ClientCertificateConfig> Grammar { get; } =
        new RecordGrammar<ClientCertificateConfig>(static f => new ClientCertificateConfig
        {
            Authorities = f.Require("authorities", Scalars.FilePath),
            Names = f.FilledList(
                "names",
                CertificatePattern.Grammar,
                "list a name, or remove the key to accept every certificate of the authorities",
                allowSingle: true
            ),
        });

    internal override string Kind => Key;

    internal override IEnumerable<string> Files => Authorities is null ? [] : [Authorities];

    internal override (string Message, string Hint)? Problem =>
        Names.FirstOrDefault(n => !CertificatePattern.TryParse(n, out _)) is { } wrong
            ? ($"`{wrong}` is not a name of certificates", "write `*.example.com`, `spiffe://example.com/**` or `kim@example.com`")
            : null;
}
