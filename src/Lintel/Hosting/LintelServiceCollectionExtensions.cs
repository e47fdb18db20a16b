using System.Diagnostics.CodeAnalysis;
using Lintel.Composition;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Config;
using Lintel.Config.Reading;
using Lintel.Forwarding;
using Lintel.Hosting;
using Lintel.Hosting.Embedding;
using Lintel.Hosting.Overload;
using Lintel.Listeners;
using Lintel.Listeners.Handshakes;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Policies.Custom;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Connections;
using Lintel.Services.Discovery;
using Lintel.Services.Health;
using Lintel.State;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.ServiceDiscovery;
using Yarp.ReverseProxy.Forwarder;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds Lintel to a host.</summary>
public static class LintelServiceCollectionExtensions
{
    /// <summary>Adds the gateway to an ASP.NET Core host, configured by files. Changes to the files are applied while it runs.</summary>
    /// <remarks>
    /// If the gateway is added more than once, from any source, the last call wins: a test can give an application another configuration.
    /// </remarks>
    /// <param name="services">The host's services.</param>
    /// <param name="files">YAML or JSON files, each overlaying the previous ones; at least one. Paths are relative to the host's content
    /// root.</param>
    public static IServiceCollection AddLintel(this IServiceCollection services, params string[] files)
    {
        if (files is not { Length: > 0 })
            throw new ArgumentException("at least one configuration file is required", nameof(files));
        return Add(services, s => ReadFiles(s, InContentRoot(s, files)), ownsListeners: false);
    }

    /// <summary>
    /// Adds the gateway to an ASP.NET Core host, configured by a section of its configuration. Reloads of the section are applied while it
    /// runs.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="section">The section that contains <c>services</c>, <c>routes</c> and so on. Paths in it, for example of certificates,
    /// are relative to the host's content root.</param>
    public static IServiceCollection AddLintel(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return Add(services, s => new GatewaySource.Section(section, ContentRoot(s)), ownsListeners: false);
    }

    /// <summary>Adds the gateway to an ASP.NET Core host, configured in code.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="config">The configuration; the same model as in files.</param>
    public static IServiceCollection AddLintel(this IServiceCollection services, GatewayConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Add(services, _ => new GatewaySource.Code(config), ownsListeners: false);
    }

    /// <summary>Adds a gateway that opens the listeners of its configuration itself, as <c>lintel run</c> does.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="files">YAML or JSON files, each overlaying the previous ones.</param>
    public static IServiceCollection AddLintelServer(this IServiceCollection services, params string[] files) =>
        Add(services, s => ReadFiles(s, files), ownsListeners: true);

    /// <summary>
    /// Registers a policy of the application: routes refer to it by its name in <c>policies</c>. It is created once, when the gateway is,
    /// and disposed with the host.
    /// </summary>
    /// <typeparam name="TPolicy">The policy; its constructor may take the host's services.</typeparam>
    /// <param name="services">The host's services.</param>
    /// <param name="name">The name; no policy of the configuration may have it.</param>
    [Experimental(GatewayPolicy.Id)]
    public static IServiceCollection AddLintelPolicy<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TPolicy
    >(this IServiceCollection services, string name)
        where TPolicy : GatewayPolicy
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return services.AddSingleton(new PolicyRegistration(name, static s => ActivatorUtilities.CreateInstance<TPolicy>(s)));
    }

    /// <summary>
    /// Saves the files of every configuration that goes live, and starts from the last saved files if the given ones are broken or missing.
    /// Secrets that the files refer to are not saved.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="folder">The folder to save to, one file for each set of configuration files.</param>
    internal static IServiceCollection AddLintelLastGood(this IServiceCollection services, string folder) =>
        services.AddSingleton(new LastGoodDirectory(folder));

    /// <summary>
    /// Makes the Kestrel servers of this host accept connections as Lintel's own listeners do: while file descriptors are scarce, new
    /// connections wait.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="usesReserve">Whether the servers may use the descriptors that listeners reserve for everything else; for operators'
    /// addresses.</param>
    internal static IServiceCollection AddLintelTransport(this IServiceCollection services, bool usesReserve)
    {
        services.TryAddSingleton(usesReserve ? DescriptorReserve.None() : DescriptorReserve.OfThisProcess());
        AddTransports(services);
        return services.AddSingleton<IConnectionListenerFactory>(s => s.GetRequiredService<Transports>().Sockets);
    }

    private static void AddTransports(IServiceCollection services)
    {
        services.TryAddSingleton(_ => DescriptorReserve.OfThisProcess());
        services.TryAddSingleton(_ => new MemoryBudget(new GatewayLimitsConfig().Memory.Of(ProcessMemory.Available)));
        services.TryAddSingleton<GatewayLoops>();
        services.TryAddSingleton(_ => new ControlGroups());
        services.TryAddSingleton<HandshakeThreads>();
        services.TryAddSingleton(s => new Transports(
            s.GetRequiredService<DescriptorReserve>(),
            Time(s),
            s.GetRequiredService<ILogger<AcceptTransport>>(),
            s.GetRequiredService<GatewayLoops>()
        ));
    }

    /// <summary>Returns the host's own clock if it has one, for example that of a test.</summary>
    private static TimeProvider Time(IServiceProvider services) => services.GetService<TimeProvider>() ?? TimeProvider.System;

    private static string ContentRoot(IServiceProvider services) =>
        services.GetService<IHostEnvironment>()?.ContentRootPath is { Length: > 0 } path ? path : Environment.CurrentDirectory;

    private static string[] InContentRoot(IServiceProvider services, string[] files)
    {
        var root = ContentRoot(services);
        return [.. files.Select(f => f == ConfigFiles.StandardInput ? f : Path.GetFullPath(f, root))];
    }

    /// <summary>
    /// Creates the forwarder in a container of its own, so that YARP's forwarder is neither registered in the host nor writes to its log:
    /// it would log every failure, and the pipeline's log line has all of it.
    /// </summary>
    private static IHttpForwarder CreateForwarder() =>
        new ServiceCollection().AddLogging().AddHttpForwarder().BuildServiceProvider().GetRequiredService<IHttpForwarder>();

    private static GatewaySource.Files ReadFiles(IServiceProvider services, string[] files)
    {
        var lastGood = services.GetService<LastGoodDirectory>() is { } kept ? new LastGood(kept.Path, files) : null;
        return new GatewaySource.Files(files, ConfigEnvironment.OfProcess(), Time(services), lastGood);
    }

    private static IServiceCollection Add(IServiceCollection services, Func<IServiceProvider, GatewaySource> source, bool ownsListeners)
    {
        services.AddMetrics();
        AddTransports(services);
        services.Replace(ServiceDescriptor.Singleton(source));
        services.TryAddSingleton<GatewayMetrics>();
        services.TryAddSingleton(s => new ApplicationPolicies(s.GetServices<PolicyRegistration>(), s));
        services.TryAddSingleton(s => new ExpiringStore(Time(s)));
        services.TryAddSingleton<CompositionMetrics>();
        services.TryAddSingleton(s => NameResolver.OfSystem(Time(s)));
        services.TryAddSingleton<AnswerStore>();
        services.TryAddSingleton(s => new ServiceRegistry(
            Random.Shared,
            new UpstreamDependencies(
                s.GetRequiredService<GatewayLoops>().Group,
                s.GetRequiredService<NameResolver>(),
                s.GetRequiredService<GatewayMetrics>(),
                new ServiceParts(
                    Time(s),
                    Random.Shared,
                    s.GetRequiredService<GatewayMetrics>(),
                    s.GetRequiredService<ILogger<ServiceHealth>>()
                )
            )
            {
                Discovery = new DiscoveryParts(
                    Time(s),
                    Random.Shared,
                    s.GetRequiredService<NameResolver>(),
                    s.GetRequiredService<ILogger<InstanceDiscovery>>()
                )
                {
                    Host = s.GetService<ServiceEndpointResolver>() is { } resolver ? new HostEndpoints(resolver) : null,
                },
            }
        ));
        services.Replace(ServiceDescriptor.Singleton(s => Create(s, ownsListeners)));
        if (ownsListeners)
            services.TryAddSingleton(CreateCrowdWatch); // not for another host's heap
        services.AddHostedService<GatewayLifetime>();
        if (ownsListeners)
            return services;
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, HostedRequestFilter>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, GatewayMatcherPolicy>());
        return services;
    }

    private static LoadPeakWatch CreateCrowdWatch(IServiceProvider services)
    {
        var loops = services.GetRequiredService<GatewayLoops>().Group;
        var memory = services.GetRequiredService<MemoryBudget>();
        return new LoadPeakWatch(
            () => loops?.Connections ?? 0,
            () => memory.Used,
            Time(services),
            static () => _ = LoadPeakWatch.CollectAsync()
        );
    }

    private static Gateway Create(IServiceProvider services, bool ownsListeners)
    {
        var time = Time(services);
        var metrics = services.GetRequiredService<GatewayMetrics>();
        var snapshots = new SnapshotHolder();
        var logs = services.GetRequiredService<ILoggerFactory>();
        var accessLog = new AccessLogSlot(time, logs.CreateLogger(AccessLog.Category));
        var errors = new ErrorLog(time, logs.CreateLogger(ErrorLog.Category));
        var loops = services.GetRequiredService<GatewayLoops>().Group;
        if (loops is not null)
            new LoopStalls(metrics, time, services.GetRequiredService<ILogger<LoopStalls>>()).Watch(loops);
        metrics.ObserveLostLines(() => accessLog.Lost);
        var memory = services.GetRequiredService<MemoryBudget>();
        metrics.ObserveMemory(memory);
        var state = services.GetRequiredService<ExpiringStore>();
        metrics.ObserveState(() => state.Count, () => state.Evicted);
        var shedding = new Shedding(metrics, Random.Shared);
        var attempts = new AttemptParts(metrics, errors, time);
        var parts = new GatewayParts(
            services.GetRequiredService<GatewaySource>(),
            services.GetRequiredService<ServiceRegistry>(),
            new SnapshotCompiler(
                services.GetRequiredService<ServiceRegistry>(),
                new RouteParts(
                    new ForwardParts(new Forwarders(new Http1Forwarder(time), new YarpForwarder(CreateForwarder())), attempts, memory),
                    new CompositionParts(
                        attempts,
                        services.GetRequiredService<CompositionMetrics>(),
                        services.GetRequiredService<AnswerStore>(),
                        new SharedRequests(),
                        memory
                    ),
                    Random.Shared
                )
                {
                    Application = services.GetRequiredService<ApplicationPolicies>(),
                    PolicyLog = logs.CreateLogger("Lintel.Policies"),
                    State = state,
                    Protection = new(() => services.GetService<IDataProtectionProvider>() ?? new EphemeralDataProtectionProvider()),
                    OwnsListeners = ownsListeners,
                }
            ),
            snapshots,
            new RoutePipeline(snapshots, new RequestAccount(accessLog, errors, metrics, time), shedding, time),
            accessLog,
            errors,
            metrics,
            memory,
            time
        )
        {
            Loops = loops,
            Overload = new OverloadWatch(
                shedding,
                OverloadResources.Create(services.GetRequiredService<ControlGroups>(), loops, time),
                metrics,
                time,
                services.GetRequiredService<ILogger<OverloadWatch>>()
            ),
        };
        var listeners = ownsListeners ? new ListenerSet(services, time, services.GetRequiredService<ILogger<ListenerSet>>()) : null;
        var gateway = new Gateway(parts, listeners, services.GetRequiredService<ILogger<Gateway>>());
        gateway.AddReadiness(parts.Services.Waiting);
        if (ownsListeners)
            gateway.AddReadiness(services.GetRequiredService<Transports>().Problem);
        return gateway;
    }

    private sealed record LastGoodDirectory(string Path);
}
