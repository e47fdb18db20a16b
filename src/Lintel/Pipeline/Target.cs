using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>What a route does with a request once it is admitted: forward, redirect, answer.</summary>
internal abstract class Target
{
    /// <summary>Answers the request, or says why it could not. Once the response has started, an error cuts it off.</summary>
    public abstract ValueTask<GatewayError?> RunAsync(Exchange exchange);
}
