using System.Diagnostics.CodeAnalysis;
using System.Net;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Policies.Custom;

/// <summary>A request as a policy of the application sees it. Valid only until the method that it was passed to has ended.</summary>
[Experimental(GatewayPolicy.Id)]
public readonly struct PolicyContext
{
    private readonly Exchange _exchange;

    internal PolicyContext(Exchange exchange) => _exchange = exchange;

    /// <summary>The name of the route.</summary>
    public string Route => _exchange.Route!.Name;

    /// <summary>
    /// The client's address as reported by <c>trustedProxies</c>, otherwise the remote address of the connection; <see langword="null"/>
    /// for clients of a Unix socket listener.
    /// </summary>
    public IPAddress? ClientAddress => _exchange.ClientAddress;

    /// <summary>
    /// Whether the caller is known: from the route's authentication policies, which run before, or from the application
    /// (<c>HttpContext.User</c>).
    /// </summary>
    public bool IsAuthenticated => _exchange.Caller is not null;

    /// <summary>
    /// The caller's name within its issuer (<c>sub</c>), as the last policy has established it; <see langword="null"/> if it has none.
    /// </summary>
    public string? Subject => _exchange.Caller?.Identity.Subject;

    /// <summary>The name of the configured client that the caller is by its credential; <see langword="null"/> for none.</summary>
    public string? Client => _exchange.CallingClient;

    /// <summary>
    /// A claim of the caller as text; the values of a list are separated by commas. A dotted name leads into objects.
    /// </summary>
    /// <param name="name">The claim's name.</param>
    /// <returns><see langword="null"/> if the caller has no such claim, or it is an object.</returns>
    public string? FindClaim(string name) => _exchange.Claim(name);

    /// <summary>Whether the caller has a scope, in its credential or by <c>clients.NAME.scopes</c>.</summary>
    /// <param name="scope">The scope.</param>
    public bool HasScope(string scope) => _exchange.HasScope(scope);

    /// <summary>The identifier of the request's trace, in hexadecimal digits, as in the access log and in problems.</summary>
    public string TraceId => _exchange.TraceId;

    /// <summary>
    /// The underlying request and response. The body of the request is not to be read, and that of the response not to be written: both
    /// belong to the route's action.
    /// </summary>
    public HttpContext HttpContext => _exchange.Request.AsHttpContext();
}
