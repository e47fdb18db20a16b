using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Transport.Http1;

namespace Lintel.Services;

/// <summary>A microservice in its running form: instances, balancing, connections. Shared by the snapshots that agree on it.</summary>
internal sealed class Service : IDisposable
{
    private readonly UpstreamClient _client;
    private readonly FrozenDictionary<Instance, Http1Pool> _pools = FrozenDictionary<Instance, Http1Pool>.Empty;

    /// <summary>Builds a service, taking over from the one before what did not change: connections, and instances with their counts.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A certificate's file cannot be used.</exception>
    public Service(string name, ServiceConfig config, TimeoutsConfig defaults, ServiceCertificates certificates, Service? previous, Random random, UpstreamSurroundings around)
    {
        Name = name;
        Config = config;
        Defaults = defaults;
        Certificates = certificates.Fingerprint();
        (var connect, RequestTimeout, IdleTimeout) = config.Timeouts.Over(defaults);
        Identity = Fingerprint(name, config, Certificates);
        Instances = [.. config.Instances.Select(i => previous?.Instances.FirstOrDefault(p => p.Fits(i)) ?? new Instance(i))];
        Balancer = Balancer.Create(config.Balancing, Instances, random);

        var client = new UpstreamClientConfig(config.Protocol, config.Tls, ServiceCertificates.UsesTls(config), connect, config.Connections, Certificates, config.Handler)
        {
            AllowsBareLf = config.Lenient.Contains(Leniency.BareLf),
            AllowsEqualLengths = config.Lenient.Contains(Leniency.EqualLengths),
        };
        _client = previous is not null && previous._client.Fits(client) ? previous._client.Share() : new UpstreamClient(client, certificates, name, around);
        if (around.Loops is not null && config is { Protocol: ServiceProtocol.Http1, Handler: null })
            _pools = Instances.ToFrozenDictionary(i => i, i => _client.PoolOf(i)!);
    }

    public string Name { get; }

    public ServiceConfig Config { get; }

    public TimeoutsConfig Defaults { get; }

    /// <summary>Fingerprint of the certificate files' content.</summary>
    public string Certificates { get; }

    /// <summary>Tells it from services of the same name at other addresses or with other keys: what one of them answered says nothing of the others.</summary>
    public string Identity { get; }

    public TimeSpan RequestTimeout { get; }

    public TimeSpan IdleTimeout { get; }

    /// <summary>Whether calls of gRPC-Web become plain gRPC for this service.</summary>
    public bool TranslatesGrpcWeb => Config.Protocol == ServiceProtocol.Http2 && (Config.GrpcWeb ?? true);

    public Instance[] Instances { get; }

    public Balancer Balancer { get; }

    /// <summary>Whether its connections live on event loops.</summary>
    public bool HasLoops => _pools.Count > 0;

    /// <summary>The loops' connections to an instance, for a service that <see cref="HasLoops"/>.</summary>
    public Http1Pool PoolOf(Instance instance) => _pools[instance];

    public HttpMessageInvoker Invoker => _client.Invoker;

    public int OpenConnections(Instance instance) => _client.OpenConnections(instance);

    /// <summary>The <c>Host</c> for an instance.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="client">What the client said; HTTP/1.0 need not say anything.</param>
    public string HostFor(Instance instance, string? client) => Config.Host switch
    {
        "request" when !string.IsNullOrEmpty(client) => client,
        "request" => instance.Authority,
        "instance" => instance.Authority,
        var host => host,
    };

    public void Dispose() => _client.Dispose();

    private static string Fingerprint(string name, ServiceConfig config, string certificates)
    {
        var text = string.Join('\n', [name, config.Protocol.ToString(), config.Host, certificates, config.Tls.ToString(), .. config.Instances.Select(i => i.Address.AbsoluteUri)]);
        return Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
