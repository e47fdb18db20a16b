using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Policies.SecurityHeaders;

/// <summary>Response headers that make browsers more restrictive. A header that the service sets itself is kept.</summary>
public sealed record SecurityHeadersConfig : PolicyConfig
{
    internal const string Key = "securityHeaders";

    /// <summary>Whether these headers replace those of the service. Default: false.</summary>
    public bool Override { get; init; }

    /// <summary>
    /// Whether <c>X-Content-Type-Options: nosniff</c> disables media type sniffing in browsers (Fetch standard, section 3.6). Default:
    /// true.
    /// </summary>
    public bool NoSniff { get; init; } = true;

    /// <summary>
    /// Which pages may embed the response in a frame: <c>deny</c> (default), <c>sameOrigin</c>, or <c>allow</c>, which sends no header
    /// (<c>X-Frame-Options</c>, RFC 7034).
    /// </summary>
    public FrameOptions Frames { get; init; }

    /// <summary>
    /// How much of its URL a page sends to other sites (<c>Referrer-Policy</c>). Default: <c>no-referrer</c>, as recommended by the OWASP
    /// Secure Headers Project.
    /// </summary>
    public ReferrerPolicy Referrer { get; init; }

    /// <summary>The sources that pages may load (<c>Content-Security-Policy</c>). Default: not sent.</summary>
    public string? ContentSecurityPolicy { get; init; }

    /// <summary>The browser features that pages may use (<c>Permissions-Policy</c>). Default: not sent.</summary>
    public string? PermissionsPolicy { get; init; }

    /// <summary>
    /// How long browsers use only HTTPS for this host (<c>Strict-Transport-Security</c>, RFC 6797): a duration, or a map. Sent only in
    /// responses over HTTPS, as RFC 6797 section 7.2 requires. Default: not sent.
    /// </summary>
    public HstsConfig? Hsts { get; init; }

    private static Grammar<ReferrerPolicy> ReferrerGrammar { get; } =
        Scalars.Choice([
            ("no-referrer", ReferrerPolicy.NoReferrer),
            ("same-origin", ReferrerPolicy.SameOrigin),
            ("strict-origin", ReferrerPolicy.StrictOrigin),
            ("strict-origin-when-cross-origin", ReferrerPolicy.StrictOriginWhenCrossOrigin),
        ]);

    internal static Grammar<SecurityHeadersConfig> Grammar { get; } =
        new RecordGrammar<SecurityHeadersConfig>(static f => new SecurityHeadersConfig
        {
            Override = f.Get("override", Scalars.Boolean, false),
            NoSniff = f.Get("noSniff", Scalars.Boolean, true),
            Frames = f.Get(
                "frames",
                Scalars.Choice([("deny", FrameOptions.Deny), ("sameOrigin", FrameOptions.SameOrigin), ("allow", FrameOptions.Allow)]),
                FrameOptions.Deny
            ),
            Referrer = f.Get("referrer", ReferrerGrammar, ReferrerPolicy.NoReferrer),
            ContentSecurityPolicy = f.Find("contentSecurityPolicy", HeaderGrammar.Value),
            PermissionsPolicy = f.Find("permissionsPolicy", HeaderGrammar.Value),
            Hsts = f.Find("hsts", HstsConfig.Grammar),
        });

    internal override string Kind => Key;
}

/// <summary>Which pages may embed a page in a frame.</summary>
public enum FrameOptions
{
    /// <summary>None.</summary>
    Deny,

    /// <summary>Pages of the same origin.</summary>
    SameOrigin,

    /// <summary>All pages: the header is not sent.</summary>
    Allow,
}

/// <summary>How much of its URL a page sends to other sites when it loads their resources or links to them.</summary>
public enum ReferrerPolicy
{
    /// <summary>Nothing.</summary>
    NoReferrer,

    /// <summary>The full URL to the same origin, nothing to others.</summary>
    SameOrigin,

    /// <summary>The origin, to others over HTTPS only.</summary>
    StrictOrigin,

    /// <summary>The full URL to the same origin, the origin to others over HTTPS: the default of browsers.</summary>
    StrictOriginWhenCrossOrigin,
}

/// <summary>How long, and for which names, browsers use only HTTPS (RFC 6797).</summary>
public sealed record HstsConfig
{
    /// <summary>How long browsers remember it. 0 s removes it; browser preload lists require 1 y.</summary>
    public required TimeSpan MaxAge { get; init; }

    /// <summary>Whether it applies to all names below the host, too. Default: false.</summary>
    public bool IncludeSubDomains { get; init; }

    /// <summary>
    /// Whether the host requests inclusion in browser preload lists (https://hstspreload.org), which require
    /// <see cref="IncludeSubDomains"/> and at least 1 y. Default: false.
    /// </summary>
    public bool Preload { get; init; }

    private static Grammar<TimeSpan> AgeGrammar { get; } = Scalars.Duration(TimeSpan.Zero, TimeSpan.FromDays(3650));

    internal static Grammar<HstsConfig> Grammar { get; } =
        new ShortFormGrammar<HstsConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out HstsConfig value) =>
            {
                var isRead = AgeGrammar.TryRead(scalar, path, report, out var age);
                value = new HstsConfig { MaxAge = age };
                return isRead;
            },
            "How long: 1y",
            new RecordGrammar<HstsConfig>(static f =>
            {
                var hsts = new HstsConfig
                {
                    MaxAge = f.Require("maxAge", AgeGrammar),
                    IncludeSubDomains = f.Get("includeSubDomains", Scalars.Boolean, false),
                    Preload = f.Get("preload", Scalars.Boolean, false),
                };
                if (f.IsReading && hsts.Preload && !(hsts.IncludeSubDomains && hsts.MaxAge >= TimeSpan.FromDays(365)))
                    f.Report(
                        "conflict",
                        "preload",
                        "browser preload lists require `includeSubDomains` and a `maxAge` of `1y`",
                        "add both, or remove `preload`"
                    );
                return hsts;
            })
        );
}
