using System.Globalization;
using Lintel.Config.Grammars;
using Lintel.Pipeline;

namespace Lintel.Policies.SecurityHeaders;

/// <summary>Phase 5: adds the headers to every response.</summary>
internal sealed class SecurityHeadersPolicy(SecurityHeadersConfig config) : Policy, IResponding
{
    private readonly (string Name, string Value)[] _headers = [.. HeadersOf(config)];
    private readonly string? _hsts = config.Hsts is { } hsts ? Render(hsts) : null;

    public void Respond(Exchange exchange)
    {
        foreach (var (name, value) in _headers)
            Set(exchange, name, value);
        if (_hsts is not null && exchange.IsHttps)
            Set(exchange, "Strict-Transport-Security", _hsts);
    }

    private void Set(Exchange exchange, string name, string value)
    {
        if (config.Override || exchange.ResponseField(name) is null)
            exchange.SetResponseField(name, value);
    }

    private static IEnumerable<(string Name, string Value)> HeadersOf(SecurityHeadersConfig config)
    {
        if (config.NoSniff)
            yield return ("X-Content-Type-Options", "nosniff");
        if (config.Frames is not FrameOptions.Allow)
            yield return ("X-Frame-Options", config.Frames is FrameOptions.Deny ? "DENY" : "SAMEORIGIN");
        yield return (
            "Referrer-Policy",
            config.Referrer switch
            {
                ReferrerPolicy.NoReferrer => "no-referrer",
                ReferrerPolicy.SameOrigin => "same-origin",
                ReferrerPolicy.StrictOrigin => "strict-origin",
                _ => "strict-origin-when-cross-origin",
            }
        );
        if (config.ContentSecurityPolicy is { } policy)
            yield return ("Content-Security-Policy", FieldText.ToBytes(policy));
        if (config.PermissionsPolicy is { } permissions)
            yield return ("Permissions-Policy", FieldText.ToBytes(permissions));
    }

    private static string Render(HstsConfig hsts) =>
        string.Create(CultureInfo.InvariantCulture, $"max-age={(long)hsts.MaxAge.TotalSeconds}")
        + (hsts.IncludeSubDomains ? "; includeSubDomains" : "")
        + (hsts.Preload ? "; preload" : "");
}
