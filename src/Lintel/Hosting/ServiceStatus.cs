using Lintel.Config;
using Lintel.Services;

namespace Lintel.Hosting;

/// <summary>The status of a service.</summary>
internal sealed record ServiceStatus
{
    /// <summary>The service's name in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>The HTTP version used with the instances.</summary>
    public required ServiceProtocol Protocol { get; init; }

    /// <summary>How an instance is chosen for a request.</summary>
    public required BalancingKind Balancing { get; init; }

    /// <summary>The <c>Host</c> that the instances receive: <c>request</c>, <c>instance</c>, or a name.</summary>
    public required string Host { get; init; }

    /// <summary>The effective timeouts, including defaults.</summary>
    public required ServiceTimeouts Timeouts { get; init; }

    /// <summary>The instances, in the configuration's order.</summary>
    public required IReadOnlyList<InstanceStatus> Instances { get; init; }

    internal static ServiceStatus Of(string name, ServiceConfig config, TimeoutsConfig defaults, Service? running) =>
        new()
        {
            Name = name,
            Protocol = config.Protocol,
            Balancing = config.Balancing,
            Host = config.Host,
            Timeouts = ServiceTimeouts.Of(config.Timeouts.Over(defaults)),
            Instances =
            [
                .. config.Instances.Select(instance => new InstanceStatus
                {
                    // Without user and query: a configuration made in code may have them.
                    Address = instance.UnixPath is { } path
                        ? "http://unix:" + path
                        : instance
                            .Address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
                            .TrimEnd('/'),
                    Weight = instance.Weight,
                    RequestsInFlight = running is null ? 0 : Array.Find(running.Instances.All, i => i.Fits(instance))?.Active ?? 0,
                }),
            ],
        };
}

/// <summary>The timeouts of a service.</summary>
/// <param name="Connect">For opening a connection, including TLS.</param>
/// <param name="Request">From the end of the request body to the response head, including all attempts.</param>
/// <param name="Idle">The maximum time without a byte in either direction.</param>
internal sealed record ServiceTimeouts(TimeSpan Connect, TimeSpan Request, TimeSpan Idle)
{
    internal static ServiceTimeouts Of((TimeSpan Connect, TimeSpan Request, TimeSpan Idle) inForce) =>
        new(inForce.Connect, inForce.Request, inForce.Idle);
}

/// <summary>One process of a service.</summary>
internal sealed record InstanceStatus
{
    /// <summary>The address: scheme, host, port, and the path that precedes that of every request.</summary>
    public required string Address { get; init; }

    /// <summary>Its weight relative to the other instances.</summary>
    public required int Weight { get; init; }

    /// <summary>The number of requests without a complete response.</summary>
    public required int RequestsInFlight { get; init; }
}
