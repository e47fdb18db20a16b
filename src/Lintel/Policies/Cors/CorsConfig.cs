using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Cors;

/// <summary>Cross-origin resource sharing: the origins whose pages may use the routes (CORS: Fetch standard, section 3.2).</summary>
/// <remarks>
/// A preflight is answered by the route that matches the requested method, before authentication and all other policies. CORS headers of
/// services are replaced. CORS protects users of browsers from other origins' pages and does not restrict access otherwise: a request from
/// an origin that is not listed is processed, and its page cannot read the response.
/// </remarks>
public sealed record CorsConfig : PolicyConfig
{
    internal const string Key = "cors";

    internal const string Any = "*";

    private const string WildcardProblem = "pages of any origin could send requests with the user's credentials";

    private const string WildcardHint = "list origins, headers and methods explicitly, or remove `credentials`";

    /// <summary>
    /// Origins whose pages may use the routes: <c>https://shop.example.com</c>, <c>https://*.example.net</c> for all names below it,
    /// <c>*</c> for any. At least one. The origin <c>null</c>, which every sandboxed page has, cannot be listed.
    /// </summary>
    public required ValueList<string> Origins { get; init; }

    /// <summary>Methods that pages may use in addition to GET, HEAD and POST. Default: the methods of the route.</summary>
    public ValueList<string> Methods { get; init; } = [];

    /// <summary>
    /// Request headers that pages may send in addition to the CORS-safelisted ones; <c>*</c> for any except <c>Authorization</c>. Default:
    /// none.
    /// </summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>Response headers that pages may read in addition to the CORS-safelisted ones; <c>*</c> for all. Default: none.</summary>
    public ValueList<string> Expose { get; init; } = [];

    /// <summary>
    /// Whether pages may send cookies, client certificates and HTTP authentication, and read the responses. Not allowed together with
    /// <c>*</c>. Default: false.
    /// </summary>
    public bool Credentials { get; init; }

    /// <summary>
    /// How long browsers may cache the response to a preflight, up to 24 h (the limit of Firefox; Chromium's is 2 h). Default: the
    /// browser's default, 5 s.
    /// </summary>
    public TimeSpan? MaxAge { get; init; }

    private static Grammar<string> OriginGrammar { get; } =
        new ScalarGrammar<string>(
            "an origin",
            null,
            static (string text, out string value) =>
            {
                value = text.ToLowerInvariant();
                return text == Any || OriginPattern.TryParse(text, out _);
            },
            "write `https://shop.example.com`, with a port if it is not the default, `https://*.example.net`, or `*`; no "
                + "path, and no trailing slash"
        );

    private static Grammar<string> NameGrammar { get; } =
        new ScalarGrammar<string>(
            "a header name",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return HeaderGrammar.IsToken(text);
            },
            "write a header name, or `*`"
        );

    internal static Grammar<CorsConfig> Grammar { get; } =
        new RecordGrammar<CorsConfig>(static f =>
        {
            var cors = new CorsConfig
            {
                Origins = f.Require(
                    "origins",
                    new ListGrammar<string>(
                        OriginGrammar,
                        minimum: 1,
                        allowSingle: true,
                        "list the origins of the pages: `[\"https://shop.example.com\"]`"
                    )
                ) ?? [],
                Methods = f.FilledList(
                    "methods",
                    MatchConfig.MethodGrammar,
                    "remove it to allow the methods of the route",
                    allowSingle: true
                ),
                Headers = f.List("headers", NameGrammar, allowSingle: true),
                Expose = f.List("expose", NameGrammar, allowSingle: true),
                Credentials = f.Get("credentials", Scalars.Boolean, false),
                MaxAge = f.FindValue("maxAge", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromHours(24))),
            };
            if (cors.GivesCredentialsToAll)
                f.Report("insecure", "credentials", WildcardProblem, WildcardHint);
            return cors;
        });

    internal override string Kind => Key;

    private bool GivesCredentialsToAll => Credentials && (Origins.Contains(Any) || Headers.Contains(Any) || Expose.Contains(Any));

    internal override (string Message, string Hint)? Problem =>
        GivesCredentialsToAll ? (WildcardProblem, WildcardHint)
        : Origins.Count == 0 ? ("no origins are listed, and every page would be refused", "list the origins of the pages")
        : null;
}
