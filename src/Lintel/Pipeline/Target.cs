using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>The target of a route, which handles an admitted request: forward, compose, redirect, respond.</summary>
internal abstract class Target
{
    /// <summary>Responds to the request, or returns the error. Once the response has started, an error cuts it off.</summary>
    public abstract ValueTask<GatewayError?> RunAsync(Exchange exchange);
}
