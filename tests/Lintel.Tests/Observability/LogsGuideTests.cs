using System.Text.RegularExpressions;
using Lintel.Config;
using Lintel.Observability;
using Lintel.Observability.Logs;

namespace Lintel.Tests.Observability;

/// <summary>The statements of <c>docs/guides/logs.md</c> are correct.</summary>
public sealed class LogsGuideTests
{
    private static readonly string Guide = File.ReadAllText(Path.Combine(Repository.Root, "docs", "guides", "logs.md"));

    [Theory]
    [InlineData("json")]
    [InlineData("text")]
    [InlineData("template")]
    public void Example_OfAFormat_IsItsLine(string format)
    {
        // The template is the one that the guide shows.
        var template = Regex.Match(Guide, "`format: \\{ template: '(.+?)' \\}`").Groups[1].Value;
        var config = new AccessLogConfig
        {
            Format = format switch
            {
                "json" => AccessLogFormat.Json,
                "text" => AccessLogFormat.Text,
                _ => AccessLogFormat.FromTemplate(template),
            },
        };
        var record = AccessLines.Record with { Headers = [Microsoft.Extensions.Primitives.StringValues.Empty] };
        Assert.Contains("```\n" + AccessLines.Line(config, record) + "```", Guide, StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_Shown_IsValid()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["logs"]);
        File.WriteAllText(folder["gateway.yaml"], Regex.Match(Guide, "```yaml\n(.+?)```", RegexOptions.Singleline).Groups[1].Value);
        var reading = GatewayReader.Load(folder["gateway.yaml"]);
        Assert.Empty(reading.Report.Problems);
        Assert.Equal(folder["logs/access.log"], reading.Config!.Observability.AccessLog.To);
    }

    [Fact]
    public void Keys_OfTheAccessLog_AreAllInTheTable()
    {
        var keys = typeof(AccessLogConfig)
            .GetProperties()
            .Where(p => p.Name is not ("Rotate" or "Redact"))
            .Select(p => p.Name)
            .Concat(typeof(RotateConfig).GetProperties().Select(p => "rotate." + p.Name))
            .Concat(typeof(RedactConfig).GetProperties().Select(p => "redact." + p.Name))
            .Select(n => n.Contains('.', StringComparison.Ordinal) ? n.ToLowerInvariant() : char.ToLowerInvariant(n[0]) + n[1..]);
        Assert.All(keys, key => Assert.Contains($"\n| `{key}` |", Guide, StringComparison.Ordinal));
    }

    [Fact]
    public void Secrets_Listed_AreThoseOfTheCode()
    {
        Assert.Contains(
            "these headers: " + string.Join(", ", Secrets.Headers.Select(n => $"`{n}`")) + "\n",
            Guide,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "these query parameters: " + string.Join(", ", Secrets.Parameters.Select(n => $"`{n}`")) + "\n",
            Guide,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Bounds_Told_AreThoseOfTheCode()
    {
        Assert.Contains(
            $"Up to {AccessLog.QueueLength} records wait, with up to {AccessLog.QueueWeight >> 20} Mi characters",
            Guide,
            StringComparison.Ordinal
        );
        Assert.Contains($"The last {ErrorLog.MaxGroups} kinds of failure", Guide, StringComparison.Ordinal);
        Assert.Contains($"have at most {ErrorLog.MaxLines} lines every {ErrorLog.Window.TotalSeconds} s", Guide, StringComparison.Ordinal);
    }
}
