using Lintel.Errors;

namespace Lintel.Carriers;

/// <summary>Feature of a client's connection: why it was cut off.</summary>
internal interface IConnectionEnd
{
    /// <summary>
    /// Why the gateway cut the connection off; <see langword="null"/> if the client closed or reset it, or it is still open.
    /// </summary>
    public GatewayError? Reason { get; }
}
