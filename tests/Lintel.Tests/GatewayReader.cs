using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Control.Explaining;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Policies;
using Lintel.Runtime;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Transport.Memory;

namespace Lintel.Tests;

/// <summary>Reads, checks and compiles configuration text, with a fixed environment.</summary>
internal static class GatewayReader
{
    private static readonly Dictionary<string, string> Variables = new()
    {
        ["PORT"] = "5101",
        ["EMPTY"] = "",
        ["NAME"] = "edge",
    };

    public static ConfigEnvironment TestEnvironment { get; } =
        new() { Variable = Variables.GetValueOrDefault, ReadFile = File.ReadAllText };

    /// <summary>Reads, checks and compiles files; the problems of all passes are in the report.</summary>
    public static SourceReading Load(params string[] files)
    {
        var reading = new GatewaySource.Files(files, TestEnvironment, TimeProvider.System).Read();
        Compile(reading);
        return reading;
    }

    /// <summary>Reads, checks and compiles text.</summary>
    public static SourceReading Parse(string yaml, string name = "test.yaml")
    {
        var document = ConfigDocument.Parse(name, yaml, TestEnvironment);
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config);
        var reading = new SourceReading(config, document.Root, document.Report);
        Compile(reading);
        return reading;
    }

    /// <summary>Compiles a snapshot of a valid configuration.</summary>
    public static Snapshot Snapshot(string yaml, Random? random = null, TimeProvider? time = null)
    {
        var document = ConfigDocument.Parse("test.yaml", yaml, TestEnvironment);
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config);
        var snapshot = Compiler(random, time).Compile(config, document.Root, document.Report);
        Assert.Empty(document.Report.Problems);
        return snapshot!;
    }

    /// <summary>Explains a request under a valid configuration.</summary>
    public static Explanation Explain(string file, ExplainRequest request)
    {
        var reading = new GatewaySource.Files([file], TestEnvironment, TimeProvider.System).Read();
        var explanation = RequestExplainer.Explain(reading, Compiler(), request);
        Assert.Empty(explanation.Report.Problems);
        return explanation;
    }

    private static void Compile(SourceReading reading)
    {
        if (reading.Config is { } config)
            Compiler().Compile(config, reading.Root, reading.Report)?.Retire();
    }

    /// <summary>A compiler with services of its own.</summary>
    public static SnapshotCompiler Compiler(Random? random = null, TimeProvider? time = null)
    {
        time ??= TimeProvider.System;
        random ??= new Random(1);
        var metrics = TestMetrics.Create();
        return new SnapshotCompiler(
            new ServiceRegistry(random, TestMetrics.Dependencies(metrics)),
            new RouteParts(
                new ForwardParts(
                    new Forwarders(new Http1Forwarder(time), new YarpForwarder(null!)),
                    new AttemptParts(metrics, null!, time),
                    new MemoryBudget(1 << 30)
                ),
                null!,
                random
            )
        );
    }
}
