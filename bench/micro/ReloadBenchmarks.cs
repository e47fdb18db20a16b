using System.Text;
using BenchmarkDotNet.Attributes;
using Lintel.Config;
using Lintel.Config.Reading;
using Lintel.Pipeline;
using Lintel.Runtime;

namespace Lintel.Benchmarks;

/// <summary>
/// A reload of many routes of which one service has changed: a hundred services, each with its share of the routes. Every compilation is
/// of the other one of two configurations, so that each finds one service changed and compiles that service's routes.
/// </summary>
public class ReloadBenchmarks
{
    private readonly SnapshotCompiler _compiler = Compiled.Compiler(Compiled.Metrics());
    private string _yaml = "";
    private (ConfigDocument Document, GatewayConfig Config)[] _read = [];
    private Snapshot? _live;
    private int _turn;

    [Params(1_000, 10_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _yaml = Yaml(9000);
        _read = [Compiled.Read(_yaml), Compiled.Read(Yaml(9001))];
        _live = Compiled.Snapshot(_read[1], _compiler);
    }

    /// <summary>From the configuration to a snapshot, and the end of the one before.</summary>
    [Benchmark]
    public void Compile()
    {
        var before = _live;
        _live = Compiled.Snapshot(_read[_turn++ % 2], _compiler);
        before?.Retire();
    }

    /// <summary>From the text to the configuration.</summary>
    [Benchmark]
    public object Read() => Compiled.Read(_yaml);

    private string Yaml(int port)
    {
        var yaml = new StringBuilder("services:\n");
        for (var i = 0; i < 100; i++)
            yaml.Append($"  s{i}: http://127.0.0.1:{(i == 0 ? port : 8000 + i)}\n");
        yaml.Append("routes:\n");
        for (var i = 0; i < Routes; i++)
            yaml.Append(
                    $"  r{i}:\n    match: {{ methods: [GET, POST], paths: [\"/api/v{i % 10}/r{i}/{{id}}\"], headers: {{ X-Kind: \"k{i % 3}\" }} }}\n"
                )
                .Append(
                    $"    forward: {{ service: s{i % 100}, path: \"/r{i}/{{id}}\" }}\n    transform: {{ request: {{ setHeaders: {{ X-Route: \"r{i}\" }} }} }}\n"
                );
        return yaml.ToString();
    }
}
