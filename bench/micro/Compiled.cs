using System.Diagnostics.Metrics;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Forwarding;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Services.Connections;
using Lintel.Transport.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Benchmarks;

/// <summary>Snapshots and pipelines without listeners.</summary>
internal static class Compiled
{
    /// <summary>A snapshot of a configuration that must be right.</summary>
    public static Snapshot Snapshot(string yaml, GatewayMetrics metrics) => Snapshot(Read(yaml), Compiler(metrics));

    /// <summary>A snapshot of a configuration that must be right.</summary>
    public static Snapshot Snapshot((ConfigDocument Document, GatewayConfig Config) read, SnapshotCompiler compiler) =>
        compiler.Compile(read.Config, read.Document.Root, read.Document.Report)
        ?? throw new InvalidOperationException(string.Join('\n', read.Document.Report.Problems));

    /// <summary>A configuration as a file holds it.</summary>
    public static (ConfigDocument Document, GatewayConfig Config) Read(string yaml)
    {
        var document = ConfigDocument.Parse("bench.yaml", yaml, ConfigEnvironment.OfProcess());
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config);
        return (document, config);
    }

    /// <summary>A compiler with services of its own.</summary>
    public static SnapshotCompiler Compiler(GatewayMetrics metrics)
    {
        var random = new Random(1);
        var forwarders = new Forwarders(new Http1Forwarder(TimeProvider.System), new YarpForwarder(null!));
        var attempts = new AttemptParts(metrics, null!, TimeProvider.System);
        return new SnapshotCompiler(
            new ServiceRegistry(
                random,
                new UpstreamDependencies(
                    null,
                    NameResolver.OfSystem(TimeProvider.System),
                    metrics,
                    new ServiceParts(TimeProvider.System, random, metrics, NullLogger.Instance)
                )
            ),
            new RouteParts(new ForwardParts(forwarders, attempts, new MemoryBudget(1 << 30)), null!, random)
        );
    }

    /// <summary>
    /// Instruments as a host makes them, with a listener that takes every measurement and forgets it: what the gateway pays, without the
    /// exporter's part.
    /// </summary>
    public static GatewayMetrics Metrics()
    {
        var listener = new MeterListener { InstrumentPublished = (instrument, self) => self.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
        listener.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        listener.Start();
        return new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());
    }
}
