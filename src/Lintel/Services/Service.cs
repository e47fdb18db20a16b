using Lintel.Config;

namespace Lintel.Services;

/// <summary>A microservice in its running form: instances, balancing, connections. Shared by the snapshots that agree on it.</summary>
internal sealed class Service : IDisposable
{
    private readonly UpstreamClient _client;

    /// <summary>Builds a service, taking over from the one before what did not change: connections, and instances with their counts.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate's file cannot be used.</exception>
    public Service(string name, ServiceConfig config, TimeoutsConfig defaults, Service? previous, Random random)
    {
        Name = name;
        Config = config;
        Defaults = defaults;
        RequestTimeout = config.Timeouts.Request ?? defaults.Request ?? TimeoutsConfig.DefaultRequest;
        IdleTimeout = config.Timeouts.Idle ?? defaults.Idle ?? TimeoutsConfig.DefaultIdle;
        Instances = [.. config.Instances.Select(i => previous?.Instances.FirstOrDefault(p => p.Fits(i)) ?? new Instance(i))];
        Balancer = Balancer.Create(config.Balancing, Instances, random);

        var client = new UpstreamClientConfig(
            config.Protocol, config.Tls, config.Instances[0].Address.Scheme == Uri.UriSchemeHttps, config.Timeouts.Connect ?? defaults.Connect ?? TimeoutsConfig.DefaultConnect);
        _client = previous is not null && previous._client.Fits(client) ? previous._client.Share() : new UpstreamClient(client);
    }

    public string Name { get; }

    public ServiceConfig Config { get; }

    public TimeoutsConfig Defaults { get; }

    public TimeSpan RequestTimeout { get; }

    public TimeSpan IdleTimeout { get; }

    public Instance[] Instances { get; }

    public Balancer Balancer { get; }

    public HttpMessageInvoker Invoker => _client.Invoker;

    /// <summary>The <c>Host</c> for an instance; <see langword="null"/> to keep the client's.</summary>
    public string? HostFor(Instance instance) => Config.Host switch
    {
        "request" => null,
        "instance" => instance.Authority,
        var host => host,
    };

    public void Dispose() => _client.Dispose();
}
