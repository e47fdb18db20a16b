using System.Net;
using Microsoft.Extensions.ServiceDiscovery;

namespace Lintel.Services.Discovery;

/// <summary>The service discovery that the application has added with <c>AddServiceDiscovery</c>.</summary>
internal sealed class HostEndpoints(ServiceEndpointResolver resolver) : IHostEndpoints
{
    public async Task<(IReadOnlyList<EndPoint> Endpoints, Task Changed)> ResolveAsync(string name, CancellationToken cancellation)
    {
        var source = await resolver.GetEndpointsAsync(name, cancellation).ConfigureAwait(false);
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        source.ChangeToken.RegisterChangeCallback(static s => ((TaskCompletionSource)s!).TrySetResult(), changed);
        return ([.. source.Endpoints.Select(e => e.EndPoint)], changed.Task);
    }
}
