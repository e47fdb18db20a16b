using System.Globalization;
using System.Text;

namespace Lintel.Tests.Config;

/// <summary>Runs alone: what is measured is the processor time of the whole process.</summary>
[CollectionDefinition(nameof(LargeConfigurationTests), DisableParallelization = true)]
public sealed class LargeConfigurationTestsRunAlone;

[Collection(nameof(LargeConfigurationTests))]
public sealed class LargeConfigurationTests
{
    /// <summary>
    /// Ten thousand routes are read, checked and compiled while an operator waits: in 0.7 s on two quiet cores (2026-11-23). A test cannot hold a busy machine to that,
    /// but to the work that grows with the routes and no faster: eight times as many may take twice their share, and would take eight times it if each were held against every other.
    /// </summary>
    [Fact]
    public void TenThousandRoutes_ReadAndCompiled_TakeNoMoreWorkThanTheirNumber()
    {
        var (few, many) = (Yaml(1_250), Yaml(10_000));
        Assert.Empty(GatewayReader.Parse(few).Report.Problems);
        Assert.Empty(GatewayReader.Parse(many).Report.Problems);
        var (work, more) = (Work(few), Work(many));
        Assert.True(more < 16 * work, $"1 250 routes: {work}, 10 000 routes: {more}");
    }

    /// <summary>The least of three: what else the process does adds time and never takes any away.</summary>
    private static TimeSpan Work(string text) => Enumerable.Range(0, 3).Min(_ =>
    {
        var before = Environment.CpuUsage.TotalTime;
        GatewayReader.Parse(text);
        return Environment.CpuUsage.TotalTime - before;
    });

    private static string Yaml(int routes)
    {
        var yaml = new StringBuilder("services:\n");
        for (var i = 0; i < 100; i++)
            yaml.Append(CultureInfo.InvariantCulture, $"  service-{i}: http://127.0.0.1:{5000 + i}\n");
        yaml.Append("routes:\n");
        for (var i = 0; i < routes; i++)
            yaml.Append(CultureInfo.InvariantCulture, $"  route-{i}:\n    match: GET /area{i % 100}/things{i}/{{id}}\n    forward: service-{i % 100}/things/{{id}}\n");
        return yaml.ToString();
    }
}
