using System.Net;
using System.Net.Sockets;
using Lintel.Config;

namespace Lintel.Services.Discovery;

/// <summary>
/// Collects the instances of an answer. Addresses that no instance has are ignored: a wrong or forged answer must not turn the gateway
/// against its own machine's link, such as a cloud's metadata service at 169.254.169.254.
/// </summary>
internal sealed class DiscoveredAddresses(string scheme)
{
    private readonly List<InstanceConfig> _instances = [];
    private int _ignored;
    private string? _reason;

    public IReadOnlyList<InstanceConfig> Instances => _instances;

    /// <summary>The number of entries that are not used, with the reason for the first; <see langword="null"/> for none.</summary>
    public string? Ignored => _ignored == 0 ? null : $"{_ignored} ignored, the first because {_reason}";

    public void Add(IPAddress address, int port, int weight = 1, int priority = 0)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (!IsUsable(plain))
            Ignore($"{plain} is not an address of an instance");
        else if (plain is { AddressFamily: AddressFamily.InterNetworkV6, ScopeId: 0 })
            Add($"[{plain}]", port, weight, priority);
        else
            Add(plain.ToString(), port, weight, priority);
    }

    /// <summary>Adds an instance by its address or name.</summary>
    public void AddHost(string host, int port, int weight = 1, int priority = 0)
    {
        if (IPAddress.TryParse(host, out var address))
            Add(address, port, weight, priority);
        else if (Uri.CheckHostName(host) != UriHostNameType.Dns)
            Ignore("its address is neither an IP address nor a host name");
        else
            Add(host.TrimEnd('.'), port, weight, priority);
    }

    public void Ignore(string reason)
    {
        _reason ??= reason;
        _ignored++;
    }

    private void Add(string host, int port, int weight, int priority)
    {
        if (port is < 1 or > 65535)
            Ignore($"{host} has no port");
        else
            _instances.Add(
                new InstanceConfig
                {
                    Address = new Uri($"{scheme}://{host}:{port}"),
                    Weight = Math.Clamp(weight, 1, 1000),
                    Priority = Math.Min(priority, InstanceConfig.MaxPriority),
                }
            );
    }

    private static bool IsUsable(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return !address.IsIPv6LinkLocal && !address.IsIPv6Multicast && !address.Equals(IPAddress.IPv6Any);
        var bytes = address.GetAddressBytes();
        return bytes[0] is not 0 and < 224 && (bytes[0], bytes[1]) is not (169, 254); // this network, multicast and reserved, link-local
    }
}
