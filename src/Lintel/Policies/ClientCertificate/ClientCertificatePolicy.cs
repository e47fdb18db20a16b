using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Policies.ClientCertificate;

/// <summary>Phase 2: recognizes callers by the certificate of their connection.</summary>
internal sealed class ClientCertificatePolicy(ClientCertificateConfig config, PolicyParts parts) : AuthenticationPolicy
{
    private static readonly string[] Challenges = ["ClientCertificate"];

    private readonly CertificateChecks _checks = new(config.Authorities, parts.Time);
    private readonly CertificatePattern[] _names = [.. config.Names.Select(Parse)];

    public override ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange) => new(Authenticate(exchange));

    /// <remarks>No standard defines a scheme for it, and RFC 9110 section 11.6.1 requires a challenge.</remarks>
    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) => Challenges;

    private AuthenticationResult Authenticate(Exchange exchange)
    {
        if (IsMisdirected(exchange))
            return AuthenticationResult.Refuse(new GatewayError(GatewayErrorKind.Misdirected, "the connection was made for another host"));
        if (exchange.Request.Certificate is not { } certificate)
            return AuthenticationResult.Absent;
        var check = _checks.Check(certificate);
        if (check.Identity is not { } identity)
            return AuthenticationResult.Invalid("invalid_token", "the client certificate is not trusted") with
            {
                LogDetail = check.Problem,
            };
        if (_names.Length > 0 && !Array.Exists(_names, n => identity.CertificateNames!.Find(n) is not null))
            return AuthenticationResult.Invalid("invalid_token", "the client certificate is not for an accepted name") with
            {
                LogDetail = $"the certificate of {identity.Subject} has none of the names {string.Join(", ", config.Names)}",
            };
        return AuthenticationResult.Accept(identity, default);
    }

    /// <summary>
    /// Whether the connection was made for another host (SNI) than the request is for: a browser that shares connections (RFC 9113 section
    /// 9.1.1), or any client, shows the certificate that it has chosen for the other one.
    /// </summary>
    private static bool IsMisdirected(Exchange exchange)
    {
        if (exchange.Request.ServerName is not { Length: > 0 } asked)
            return false;
        var host = exchange.Host;
        var colon = host.LastIndexOf(':');
        if (colon > host.LastIndexOf(']'))
            host = host[..colon];
        return !HostNames.ToAscii(asked.TrimEnd('.')).Equals(HostNames.ToAscii(host.TrimEnd('.')), StringComparison.OrdinalIgnoreCase);
    }

    /// <exception cref="FormatException">It is not a pattern.</exception>
    private static CertificatePattern Parse(string text) =>
        CertificatePattern.TryParse(text, out var pattern) ? pattern : throw new FormatException($"`{text}` is not a name of certificates");
}
