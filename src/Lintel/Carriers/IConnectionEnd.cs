using Lintel.Errors;

namespace Lintel.Carriers;

/// <summary>A feature of a client's connection: why it was cut off.</summary>
internal interface IConnectionEnd
{
    /// <summary>
    /// Why it was cut off from this side; <see langword="null"/> where the client ended or broke it, or it has not ended.
    /// </summary>
    public GatewayError? Reason { get; }
}
