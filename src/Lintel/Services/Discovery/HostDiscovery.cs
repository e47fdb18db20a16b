using System.Net;
using Lintel.Config;

namespace Lintel.Services.Discovery;

/// <summary>Resolves a service by the service discovery of the application that the gateway is part of.</summary>
internal interface IHostEndpoints
{
    /// <summary>Resolves the endpoints of a service.</summary>
    /// <param name="name">Scheme and name, as in <c>https://users</c>.</param>
    /// <param name="cancellation">Cancels the wait.</param>
    /// <returns>The endpoints, and a task that completes when they have changed.</returns>
    public Task<(IReadOnlyList<EndPoint> Endpoints, Task Changed)> ResolveAsync(string name, CancellationToken cancellation);
}

/// <summary>The endpoints of a service that the application resolves.</summary>
internal sealed class HostDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    : InstanceDiscovery(service, config, parts, known)
{
    private readonly IHostEndpoints? _host = parts.Host;
    private Task? _changed;

    protected override bool IsPushed => true;

    protected override async Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation)
    {
        _changed = null;
        if (_host is null)
            throw new DiscoveryException("the application has no service discovery");
        var (endpoints, changed) = await _host.ResolveAsync($"{Config.Scheme}://{Config.Host}", cancellation).ConfigureAwait(false);
        _changed = changed;
        var found = new DiscoveredAddresses(Config.Scheme);
        foreach (var endpoint in endpoints)
        {
            switch (endpoint)
            {
                case IPEndPoint ip:
                    found.Add(ip.Address, Port(ip.Port));
                    break;
                case DnsEndPoint name:
                    found.AddHost(name.Host, Port(name.Port));
                    break;
                default:
                    AddUri(endpoint, found);
                    break;
            }
        }

        return new DiscoveryAnswer(found.Instances, System.Threading.Timeout.InfiniteTimeSpan) { Ignored = found.Ignored };
    }

    protected override Task WaitAsync(TimeSpan delay, CancellationToken cancellation) =>
        delay == System.Threading.Timeout.InfiniteTimeSpan && _changed is { } changed
            ? changed.WaitAsync(cancellation)
            : base.WaitAsync(delay, cancellation);

    /// <summary>An endpoint that is a URI has it as its text, but no public type.</summary>
    private void AddUri(EndPoint endpoint, DiscoveredAddresses found)
    {
        if (!Uri.TryCreate(endpoint.ToString(), UriKind.Absolute, out var uri))
            found.Ignore("the application gives an endpoint that is neither an address nor a host name");
        else if (uri.Scheme != Config.Scheme)
            found.Ignore($"it is at {uri.Scheme}, and not at {Config.Scheme}");
        else
            found.AddHost(uri.IdnHost, uri.Port);
    }

    private int Port(int port) =>
        port > 0 ? port
        : Config.Scheme == Uri.UriSchemeHttps ? 443
        : 80;
}
