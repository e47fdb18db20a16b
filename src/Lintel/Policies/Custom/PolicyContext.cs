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

    /// <summary>The identifier of the request's trace, in hexadecimal digits, as in the access log and in problems.</summary>
    public string TraceId => _exchange.TraceId;

    /// <summary>
    /// The underlying request and response. The body of the request is not to be read, and that of the response not to be written: both
    /// belong to the route's action.
    /// </summary>
    public HttpContext HttpContext => _exchange.Request.AsHttpContext();
}
