using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Metrics as scraped by a real Prometheus, and the rules and dashboards that are shipped for it.</summary>
[AnyTransport]
public sealed partial class PrometheusTests(ScrapedGateway scraped) : IClassFixture<ScrapedGateway>
{
    private static readonly string Guide = Path.Combine(ScrapedGateway.Deploy, "../docs/guides/telemetry.md");

    [Fact]
    public async Task Scrape_OfServedTraffic_CountsIt()
    {
        Assert.Equal(
            ScrapedGateway.Requests,
            await ValueAsync(
                "sum(http_server_request_duration_seconds_count{http_route=\"/a/{id}\", http_response_status_code=\"200\", "
                    + "url_scheme=\"http\"})"
            )
        );
        // and one WebSocket
        Assert.Equal(ScrapedGateway.Requests, await ValueAsync("sum(lintel_gateway_duration_seconds_count{http_route=\"/a/{id}\"})") - 1);
        Assert.Equal(
            1,
            await ValueAsync(
                "sum(lintel_errors_total{error_type=\"connection-refused\", lintel_error_source=\"upstream\", lintel_service=\"dead\"})"
            )
        );
        // and the calls of two compositions
        Assert.Equal(3, await ValueAsync("sum(http_client_request_duration_seconds_count{lintel_service=\"s\", error_type=\"503\"})"));
        Assert.Equal(1, await ValueAsync("sum(lintel_config_reloads_total{result=\"refused\"})"));
        Assert.Equal(3, await ValueAsync("sum(lintel_config_reloads_total{result=\"applied\"})"));
        Assert.Equal(1, await ValueAsync("sum(up{job=\"lintel\"})"));
    }

    [Fact]
    public async Task Methods_OfTheClientsOwn_ShareASeries()
    {
        Assert.Equal(5, await ValueAsync("sum(http_server_request_duration_seconds_count{http_request_method=\"_OTHER\"})"));
        Assert.DoesNotContain("BREW", scraped.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("/a/1", scraped.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("nowhere", scraped.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Instance_ThatAReloadRemoved_IsNoLongerAGauge()
    {
        Assert.Equal(1, await ValueAsync("count(http_client_open_connections{lintel_service=\"two\"})"));
        Assert.Equal(1, await ValueAsync("count(http_client_active_requests{lintel_service=\"two\"})"));
        Assert.Equal(0, await ValueAsync("sum(http_client_active_requests)"));
        Assert.True(await ValueAsync("sum(http_client_open_connections{lintel_service=\"s\"})") >= 1);
    }

    [Fact]
    public async Task Exemplars_OfHistograms_NameTraces()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        foreach (
            var name in (string[])
                [
                    "http_server_request_duration_seconds_bucket",
                    "http_client_request_duration_seconds_bucket",
                    "lintel_gateway_duration_seconds_bucket",
                ]
        )
        {
            var series = await scraped.GetAsync($"query_exemplars?query={name}&start={now - 3600}&end={now + 60}");
            Assert.Matches(
                "^[0-9a-f]{32}$",
                series[0].GetProperty("exemplars")[0].GetProperty("labels").GetProperty("trace_id").GetString()
            );
        }
    }

    [Fact]
    public async Task Dashboard_EveryPanel_HasAnAnswer()
    {
        using var dashboard = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(ScrapedGateway.Deploy, "grafana/lintel.json")));
        var root = dashboard.RootElement;
        var expressions = root.GetProperty("panels")
            .EnumerateArray()
            .Where(p => p.TryGetProperty("targets", out _))
            .SelectMany(p => p.GetProperty("targets").EnumerateArray().Select(t => t.GetProperty("expr").GetString()!))
            .ToList();
        Assert.True(expressions.Count > 30);
        foreach (var expression in expressions)
            await HasAnswerAsync(WithoutVariables(expression));

        var others = root.GetProperty("templating")
            .GetProperty("list")
            .EnumerateArray()
            .Where(v => v.TryGetProperty("definition", out _))
            .Select(v => v.GetProperty("definition").GetString()!)
            .ToList();
        foreach (Match values in others.Select(o => LabelValues().Match(WithoutVariables(o))))
            await HasAnswerAsync($"count by ({values.Groups[2].Value}) ({values.Groups[1].Value}) > 0");
        await scraped.QueryAsync(WithoutVariables(root.GetProperty("annotations").GetProperty("list")[0].GetProperty("expr").GetString()!));
        await NamesExistAsync([.. expressions, .. others]);
    }

    [Fact]
    public async Task Alerts_AreTakenByPrometheusAndNameMetricsThatExist()
    {
        Promtool("check", "rules", "alerts.yaml");
        Promtool("check", "config", "prometheus.yml");
        Promtool("test", "rules", "alerts.test.yaml");
        var rules = (await scraped.GetAsync("rules"))
            .GetProperty("groups")
            .EnumerateArray()
            .SelectMany(g => g.GetProperty("rules").EnumerateArray())
            .ToList();
        Assert.True(rules.Count > 10);
        await NamesExistAsync([.. rules.Select(r => r.GetProperty("query").GetString()!)]);
        await Until.TrueAsync(async () =>
            (await scraped.GetAsync("rules"))
                .GetProperty("groups")[0]
                .GetProperty("rules")
                .EnumerateArray()
                .All(r => r.GetProperty("health").GetString() == "ok")
        );

        // The last reading was applied, the one before refused; the dead service fails all the time.
        Assert.Empty(await scraped.QueryAsync("ALERTS{alertname=\"LintelConfigRefused\"}"));
    }

    [Fact]
    public void Guide_TableOfMetrics_IsWhatTheGatewayShows()
    {
        var told = File.ReadLines(Guide)
            .Select(l => Row().Match(l))
            .Where(m => m.Success)
            .Select(m =>
                $"{m.Groups[2].Value} {m.Groups[3].Value}: "
                + $"{string.Join(' ', Code().Matches(m.Groups[4].Value).Select(c => c.Groups[1].Value).Order(StringComparer.Ordinal))}"
            )
            .ToList();
        var shown = TypeLine()
            .Matches(scraped.Text)
            .Where(m => m.Groups[1].Value != "target_info")
            .Select(m => $"{m.Groups[1].Value} {m.Groups[2].Value}: {string.Join(' ', Labels(m.Groups[1].Value))}")
            .ToList();
        Assert.Equal("", string.Join("\n", shown.Except(told))); // in the metrics, not in the guide
        Assert.Equal([], told.Except(shown));
    }

    [Fact]
    public void Guide_NamesOfOpenTelemetry_BecomeThoseOfPrometheus()
    {
        foreach (var match in File.ReadLines(Guide).Select(l => Row().Match(l)).Where(m => m.Success))
            Assert.StartsWith(match.Groups[1].Value.Replace('.', '_'), match.Groups[2].Value, StringComparison.Ordinal);
    }

    private IEnumerable<string> Labels(string name) =>
        Regex
            .Matches(scraped.Text, $@"^{name}(?:_bucket|_sum|_count)?\{{(.*)\}} ", RegexOptions.Multiline)
            .SelectMany(m => LabelName().Matches(m.Groups[1].Value).Select(l => l.Groups[1].Value))
            .Where(l => l is not ("le" or "otel_scope_name"))
            .Distinct()
            .Order(StringComparer.Ordinal);

    private static string WithoutVariables(string expression) =>
        expression
            .Replace("$__rate_interval", "1m", StringComparison.Ordinal)
            .Replace("$__interval", "1m", StringComparison.Ordinal)
            .Replace("$job", ".*", StringComparison.Ordinal)
            .Replace("$instance", ".*", StringComparison.Ordinal)
            .Replace("$route", ".*", StringComparison.Ordinal)
            .Replace("$service", ".*", StringComparison.Ordinal);

    /// <summary>A rate needs two scrapes.</summary>
    private async Task HasAnswerAsync(string expression) =>
        await Until.TrueAsync(async () => (await scraped.QueryAsync(expression)).Count > 0);

    private async Task NamesExistAsync(IReadOnlyCollection<string> expressions)
    {
        var names = expressions.SelectMany(e => Selector().Matches(e).Select(m => m.Groups[1].Value)).Distinct().ToList();
        Assert.True(names.Count > 3);
        var missing = new List<string>();
        foreach (var name in names)
        {
            if ((await scraped.QueryAsync($"count({{__name__=\"{name}\"}})")).Count == 0)
                missing.Add(name);
        }

        Assert.Empty(missing);
    }

    private async Task<double> ValueAsync(string expression) =>
        double.Parse(
            Assert.Single(await scraped.QueryAsync(expression)).GetProperty("value")[1].GetString()!,
            CultureInfo.InvariantCulture
        );

    private static void Promtool(params string[] arguments)
    {
        using var promtool = Process.Start(
            new ProcessStartInfo("promtool", arguments)
            {
                WorkingDirectory = Path.Combine(ScrapedGateway.Deploy, "prometheus"),
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = promtool.StandardOutput.ReadToEnd() + promtool.StandardError.ReadToEnd();
        promtool.WaitForExit();
        Assert.True(promtool.ExitCode == 0, output);
    }

    [GeneratedRegex(@"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")]
    private static partial Regex Selector();

    [GeneratedRegex(@"^label_values\((.+), (\w+)\)$")]
    private static partial Regex LabelValues();

    [GeneratedRegex(@"^# TYPE (\S+) (\S+)$", RegexOptions.Multiline)]
    private static partial Regex TypeLine();

    [GeneratedRegex("(\\w+)=\"")]
    private static partial Regex LabelName();

    /// <summary>| `otel.name` | `prometheus_name` | kind | labels | description |</summary>
    [GeneratedRegex(@"^\| `([a-z0-9._]+)` \| `([a-z0-9_]+)` \| (counter|gauge|histogram) \|([^|]*)\|")]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
