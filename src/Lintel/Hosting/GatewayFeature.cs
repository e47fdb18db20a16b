using Lintel.Pipeline;

namespace Lintel.Hosting;

/// <inheritdoc />
internal sealed class GatewayFeature(HostedRequest request) : IGatewayFeature
{
    public string? Route => request.Outcome.Route;

    public string? Service => request.Outcome.Service;

    public string? Instance => request.Outcome.Instance;
}
