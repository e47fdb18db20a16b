using System.Diagnostics.Metrics;
using Lintel.Observability.Metrics;
using Lintel.Services;
using Lintel.Services.Connections;
using Lintel.Services.Discovery;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests;

/// <summary>Instruments without a host.</summary>
internal static class TestMetrics
{
    public static GatewayMetrics Create() => Create(out _);

    /// <summary>Instruments of a separate meter, for listeners that must not receive those of other tests.</summary>
    public static GatewayMetrics Create(out Meter meter)
    {
        var factory = new Meters();
        var metrics = new GatewayMetrics(factory);
        meter = factory.Made!;
        return metrics;
    }

    public static CompositionMetrics CreateCompositions() => new(new Meters());

    /// <summary>The dependencies of services, by default without loops.</summary>
    public static UpstreamDependencies Dependencies(
        GatewayMetrics? metrics = null,
        TimeProvider? time = null,
        LoopGroup? loops = null,
        NameResolver? names = null
    )
    {
        time ??= TimeProvider.System;
        metrics ??= Create();
        names ??= NameResolver.OfSystem(time);
        return new(loops, names, metrics, new ServiceParts(time, new Random(1), metrics, NullLogger.Instance))
        {
            Discovery = new DiscoveryParts(time, new Random(1), names, NullLogger.Instance),
        };
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter? Made { get; private set; }

        public Meter Create(MeterOptions options) => Made = new Meter(options);

        public void Dispose() { }
    }
}
