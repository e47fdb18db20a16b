using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Tests.Config;

public sealed class ConfigReportTests
{
    [Fact]
    public void Report_WithWarningsOnly_IsValid()
    {
        var report = new ConfigReport();
        var node = new ScalarNode(new SourcePosition("a.yaml", 2, 3), "x", isQuoted: false);
        report.Warn("odd", node, KeyPath.Root["routes"], "this is odd", "write it otherwise");
        report.Warn("odd", node, KeyPath.Root["routes"], "this is odd", "write it otherwise");
        Assert.True(report.IsValid);
        Assert.Equal(0, report.Count);
        Assert.Empty(report.Problems);
        Assert.Equal("a.yaml:2:3: warning odd at routes: this is odd; write it otherwise", Assert.Single(report.Warnings).ToString());
    }
}
