using System.Diagnostics;
using System.Text;

namespace Lintel.Tests.Config;

/// <summary>Runs alone: what is measured must not wait for other tests.</summary>
[CollectionDefinition(nameof(LargeConfigurationTests), DisableParallelization = true)]
public sealed class LargeConfigurationTestsRunAlone;

[Collection(nameof(LargeConfigurationTests))]
public sealed class LargeConfigurationTests
{
    /// <summary>Ten thousand routes are read, checked and compiled while an operator waits, and within a reload's patience.</summary>
    [Fact]
    public void TenThousandRoutes_ReadAndCompiled_TakeLessThanTwoSeconds()
    {
        var yaml = new StringBuilder("services:\n");
        for (var i = 0; i < 100; i++)
            yaml.Append(System.Globalization.CultureInfo.InvariantCulture, $"  service-{i}: http://127.0.0.1:{5000 + i}\n");
        yaml.Append("routes:\n");
        for (var i = 0; i < 10_000; i++)
            yaml.Append(System.Globalization.CultureInfo.InvariantCulture, $"  route-{i}:\n    match: GET /area{i % 100}/things{i}/{{id}}\n    forward: service-{i % 100}/things/{{id}}\n");
        var text = yaml.ToString();

        Assert.Empty(GatewayReader.Parse(text).Report.Problems);
        var runs = new List<TimeSpan>();
        for (var i = 0; i < 5; i++)
        {
            var started = Stopwatch.GetTimestamp();
            GatewayReader.Parse(text);
            runs.Add(Stopwatch.GetElapsedTime(started));
        }

        // The quickest run: a busy machine adds time and never takes any away (0.7 s on two quiet cores, 2026-11-23).
        Assert.True(runs.Min() < TimeSpan.FromSeconds(2), string.Join(", ", runs));
    }
}
