using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>
/// Forwards attempts over HTTP/1.1 on the event loops: the connection to the instance uses the same loop as the client's, and no step
/// changes threads.
/// </summary>
internal sealed class Http1Forwarder(TimeProvider time) : IForwarder
{
    public ValueTask<GatewayError?> SendAsync(Exchange exchange, in ForwardAttempt attempt) =>
        new Http1Attempt(exchange, attempt, time).RunAsync();
}
