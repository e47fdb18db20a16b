using System.Globalization;
using System.Text;
using Lintel.Config;
using Lintel.Config.Reading;

namespace Lintel.Tests.Config;

/// <summary>Runs alone: it measures the processor time of the whole process.</summary>
[CollectionDefinition(nameof(LargeConfigurationTests), DisableParallelization = true)]
public sealed class LargeConfigurationTestsRunAlone;

[Collection(nameof(LargeConfigurationTests))]
public sealed class LargeConfigurationTests
{
    /// <summary>
    /// Ten thousand routes are read, checked and compiled while an operator waits: in 0.7 s on two quiet cores (2026-11-23). No test can
    /// hold a busy machine to that, so the measure is the work of reading the same text as YAML and no more, which a busy machine makes
    /// longer too. All of it is some nine times that; what is held against every other route shows.
    /// </summary>
    [Fact]
    public void TenThousandRoutes_ReadAndCompiled_TakeNoMoreThanTwentyTimesTheWorkOfReadingYaml()
    {
        var text = Yaml(10_000);
        var (yaml, all) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var i = 0; i < 2; i++)
        {
            yaml = Least(yaml, () => YamlDocument.Read("test.yaml", text, new ConfigReport()));
            all = Least(all, () => Assert.Empty(GatewayReader.Parse(text).Report.Problems));
        }

        Assert.True(all < 20 * yaml, $"as YAML: {yaml}, all: {all}");
    }

    /// <summary>The least processor time so far: what else the process does adds some and never takes any away.</summary>
    private static TimeSpan Least(TimeSpan best, Action work)
    {
        GC.Collect();
        var before = Environment.CpuUsage.TotalTime;
        work();
        var took = Environment.CpuUsage.TotalTime - before;
        return took < best ? took : best;
    }

    private static string Yaml(int routes)
    {
        var yaml = new StringBuilder("services:\n");
        for (var i = 0; i < 100; i++)
            yaml.Append(CultureInfo.InvariantCulture, $"  service-{i}: http://127.0.0.1:{5000 + i}\n");
        yaml.Append("routes:\n");
        for (var i = 0; i < routes; i++)
            yaml.Append(
                CultureInfo.InvariantCulture,
                $"  route-{i}:\n    match: GET /area{i % 100}/things{i}/{{id}}\n    forward: service-{i % 100}/things/{{id}}\n"
            );
        return yaml.ToString();
    }
}
