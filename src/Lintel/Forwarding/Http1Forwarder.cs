using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>
/// Carries attempts over HTTP/1.1 on the event loops: the connection to the instance lives on the loop of the client's, and nothing changes
/// threads on the way.
/// </summary>
internal sealed class Http1Forwarder(TimeProvider time) : IForwarder
{
    public ValueTask<GatewayError?> SendAsync(Exchange exchange, in ForwardAttempt attempt) =>
        new Http1Attempt(exchange, attempt, time).RunAsync();
}
