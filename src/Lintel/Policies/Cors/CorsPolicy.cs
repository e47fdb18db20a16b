using System.Collections.Frozen;
using System.Globalization;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Policies.Cors;

/// <summary>Responds to preflights, and adds CORS headers for browsers to every other response.</summary>
internal sealed class CorsPolicy : Policy, IPreflighting, IResponding
{
    private const string AllowOrigin = "Access-Control-Allow-Origin";

    /// <summary>Headers that the policy alone sets: those of a service are removed.</summary>
    private static readonly string[] Owned =
    [
        AllowOrigin,
        "Access-Control-Allow-Credentials",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
        "Access-Control-Expose-Headers",
        "Access-Control-Max-Age",
        "Access-Control-Allow-Private-Network",
    ];

    private readonly bool _takesAny;
    private readonly FrozenSet<string> _origins;
    private readonly OriginPattern[] _patterns;
    private readonly FrozenSet<string> _methods;
    private readonly string _listedMethods;
    private readonly string _headers;
    private readonly string _expose;
    private readonly bool _credentials;
    private readonly string? _maxAge;

    public CorsPolicy(CorsConfig config)
    {
        _takesAny = config.Origins.Contains(CorsConfig.Any);
        _origins = config.Origins.Where(o => !o.Contains('*')).Select(o => o.ToLowerInvariant()).ToFrozenSet(StringComparer.Ordinal);
        _patterns = [.. config.Origins.Where(o => o.Contains('*') && o != CorsConfig.Any).Select(Parse)];
        _methods = config.Methods.ToFrozenSet(StringComparer.Ordinal);
        _listedMethods = string.Join(", ", config.Methods);
        _headers = string.Join(", ", config.Headers);
        _expose = string.Join(", ", config.Expose);
        _credentials = config.Credentials;
        _maxAge = config.MaxAge is { } age ? ((long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Whether pages of this origin may use the routes.</summary>
    public bool Admits(string origin)
    {
        if (_takesAny)
            return true;
        if (origin == "null")
            return false; // the origin of every sandboxed page
        var lower = origin.ToLowerInvariant();
        return _origins.Contains(lower) || Array.Exists(_patterns, p => p.Matches(lower));
    }

    public GatewayError? Preflight(Exchange exchange)
    {
        var origin = exchange.Field("Origin")!;
        var method = exchange.Field(Pipeline.Preflight.Method)!;
        if (!Admits(origin))
            return new GatewayError(GatewayErrorKind.CrossOriginDenied, "the origin is not allowed");
        if (_methods.Count > 0 && !_methods.Contains(method) && method is not ("GET" or "HEAD" or "POST"))
            return new GatewayError(GatewayErrorKind.CrossOriginDenied, "the method is not allowed for cross-origin requests");

        // The page is from a public network and the service is private: no setting allows this.
        if (exchange.Field("Access-Control-Request-Private-Network") is not null)
            return new GatewayError(GatewayErrorKind.CrossOriginDenied, "private network access is not allowed");
        exchange.AnswerEmpty(204);
        return null;
    }

    public void Respond(Exchange exchange)
    {
        foreach (var name in Owned)
            exchange.RemoveResponseField(name);
        if (exchange.IsPreflight)
            exchange.AppendResponseField(
                "Vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
            );
        else if (!_takesAny)
            exchange.AppendResponseField("Vary", "Origin"); // also without an origin: a cache must not return that response to a page
        if (exchange.Field("Origin") is not { Length: > 0 } origin || !Admits(origin))
            return;
        exchange.SetResponseField(AllowOrigin, _takesAny ? CorsConfig.Any : origin);
        if (_credentials)
            exchange.SetResponseField("Access-Control-Allow-Credentials", "true");
        if (exchange.IsPreflight)
            Describe(exchange);
        else if (_expose.Length > 0)
            exchange.SetResponseField("Access-Control-Expose-Headers", _expose);
    }

    /// <summary>Describes what a page may send. The requested method has a route, so it is returned if no methods are listed.</summary>
    private void Describe(Exchange exchange)
    {
        exchange.SetResponseField(
            "Access-Control-Allow-Methods",
            _listedMethods.Length > 0 ? _listedMethods : exchange.Field(Pipeline.Preflight.Method)!
        );
        if (_headers.Length > 0)
            exchange.SetResponseField("Access-Control-Allow-Headers", _headers);
        if (_maxAge is not null)
            exchange.SetResponseField("Access-Control-Max-Age", _maxAge);
    }

    private static OriginPattern Parse(string origin) =>
        OriginPattern.TryParse(origin, out var pattern) ? pattern : throw new ArgumentException($"`{origin}` is not an origin");
}
