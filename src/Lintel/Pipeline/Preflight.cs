using Lintel.Config;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// CORS preflights (Fetch standard, section 3.2.2), with which a browser checks whether a page of another origin may send a request.
/// </summary>
internal static class Preflight
{
    public const string Method = "Access-Control-Request-Method";

    /// <summary>The method in question of a preflight; <see langword="null"/> for any other request.</summary>
    public static string? MethodAskedAbout(Exchange exchange, string method) =>
        HttpMethods.IsOptions(method)
        && exchange.Request.Headers.Origin is [{ Length: > 0 }]
        && exchange.Request.Headers.AccessControlRequestMethod is [{ } asked]
        && HeaderGrammar.IsToken(asked)
            ? asked
            : null;
}
