using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Policies.SecurityHeaders;

/// <summary>
/// Response headers that tell browsers to be careful with what they got. A header that the service sends itself stays: it knows its pages
/// best.
/// </summary>
public sealed record SecurityHeadersConfig : PolicyConfig
{
    internal const string Key = "securityHeaders";

    /// <summary>Whether these headers replace those of the service. Default: false.</summary>
    public bool Override { get; init; }

    /// <summary>
    /// Whether <c>X-Content-Type-Options: nosniff</c> keeps browsers from guessing media types (Fetch standard, section 3.6). Default:
    /// true.
    /// </summary>
    public bool NoSniff { get; init; } = true;

    /// <summary>
    /// Who may show the pages in a frame: <c>deny</c> (default), <c>sameOrigin</c>, or <c>allow</c>, which sends nothing
    /// (<c>X-Frame-Options</c>, RFC 7034).
    /// </summary>
    public FrameOptions Frames { get; init; }

    /// <summary>
    /// How much of its address a page tells others (<c>Referrer-Policy</c>). Default: <c>no-referrer</c>, as OWASP's secure headers project
    /// advises.
    /// </summary>
    public ReferrerPolicy Referrer { get; init; }

    /// <summary>What pages may load and do (<c>Content-Security-Policy</c>). Default: not sent.</summary>
    public string? ContentSecurityPolicy { get; init; }

    /// <summary>Which of the browser's features pages may use (<c>Permissions-Policy</c>). Default: not sent.</summary>
    public string? PermissionsPolicy { get; init; }

    /// <summary>
    /// How long browsers use HTTPS alone for this host (<c>Strict-Transport-Security</c>, RFC 6797): a duration, or a map. Sent in answers
    /// over HTTPS only, as RFC 6797 section 7.2 demands. Default: not sent.
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

/// <summary>Who may show a page in a frame.</summary>
public enum FrameOptions
{
    /// <summary>Nobody.</summary>
    Deny,

    /// <summary>Pages of the same origin.</summary>
    SameOrigin,

    /// <summary>Everybody: the header is not sent.</summary>
    Allow,
}

/// <summary>How much of its address a page tells others when it loads something of theirs, or links there.</summary>
public enum ReferrerPolicy
{
    /// <summary>Nothing.</summary>
    NoReferrer,

    /// <summary>The whole address to the same origin, nothing to others.</summary>
    SameOrigin,

    /// <summary>The origin, to others over HTTPS only.</summary>
    StrictOrigin,

    /// <summary>The whole address to the same origin, the origin to others over HTTPS: what browsers do by themselves.</summary>
    StrictOriginWhenCrossOrigin,
}

/// <summary>How long, and for which names, browsers use HTTPS alone (RFC 6797).</summary>
public sealed record HstsConfig
{
    /// <summary>How long a browser remembers it. 0 s makes it forget; browsers' preload lists ask for 1 y.</summary>
    public required TimeSpan MaxAge { get; init; }

    /// <summary>Whether it holds for all names below the host, too. Default: false.</summary>
    public bool IncludeSubDomains { get; init; }

    /// <summary>
    /// Whether the host asks to be on browsers' own lists (https://hstspreload.org), which demand <see cref="IncludeSubDomains"/> and at
    /// least 1 y. Default: false.
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
