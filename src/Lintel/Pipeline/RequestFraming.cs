using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>What the check of a connection's bytes found out about the request at hand. One for each HTTP/1.1 connection of our own listeners, and one for each refused request of a later version.</summary>
/// <remarks>Thread rule: an HTTP/1.1 connection reads one request after the other, and this holds the current one's.</remarks>
internal sealed class RequestFraming
{
    /// <summary>Why the bytes are no request. The request that the pipeline sees stands in for them, so that a refusal is answered, logged and counted like every other.</summary>
    public GatewayError? Refusal { get; set; }

    /// <summary>The <c>Connection</c> header as it was received, where it names more than <c>close</c>, <c>keep-alive</c> and <c>upgrade</c>: Kestrel (10.0) drops the other names when it finds one of these.</summary>
    public string? Connection { get; set; }
}
