using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Lintel.Soak;

/// <summary>How requests ended, by status and error, in one of the three books: the clients', the access log's, the metrics'.</summary>
internal sealed partial class Ledger
{
    /// <summary>
    /// Requests below this path end at random: the clients do not account for them, but access log and metrics must agree.
    /// </summary>
    public const string Uncertain = "/uncertain/";

    private readonly ConcurrentDictionary<string, long> _counts = new(StringComparer.Ordinal);

    /// <summary>The prefix of names that the clients do not account for.</summary>
    public const string UncertainMark = "aborted anywhere: ";

    public IReadOnlyDictionary<string, long> Counts => _counts;

    public long Total => _counts.Values.Sum();

    public static Ledger OfAccessLog(string file)
    {
        var ledger = new Ledger();
        foreach (var line in File.ReadLines(file))
        {
            using var record = JsonDocument.Parse(line);
            // What was refused before it was routed has its path in the log, and no route in the metrics.
            var isUncertain =
                record.RootElement.TryGetProperty("route", out _)
                && record.RootElement.GetProperty("path").GetString()!.StartsWith(Uncertain, StringComparison.Ordinal);
            ledger.Add(
                record.RootElement.GetProperty("status").GetInt32(),
                record.RootElement.TryGetProperty("error", out var error) ? error.GetString() : null,
                isUncertain: isUncertain
            );
        }

        return ledger;
    }

    public static Ledger OfMetrics(string text)
    {
        var ledger = new Ledger();
        foreach (Match match in Series().Matches(text))
        {
            var status = int.Parse(Label(match.Groups[1].Value, "http_response_status_code")!, CultureInfo.InvariantCulture);
            var isUncertain = Label(match.Groups[1].Value, "http_route")?.StartsWith(Uncertain, StringComparison.Ordinal) is true;
            ledger.Add(
                status,
                Label(match.Groups[1].Value, "error_type"),
                long.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture),
                isUncertain
            );
        }

        return ledger;
    }

    /// <summary>Semantic conventions name a 5xx without other error by its status: that is no error of the gateway's.</summary>
    public void Add(int status, string? error, long count = 1, bool isUncertain = false) =>
        _counts.AddOrUpdate(
            $"{(isUncertain ? UncertainMark : "")}{status} "
                + $"{(error is null || error == status.ToString(CultureInfo.InvariantCulture) ? "-" : error)}",
            count,
            (_, before) => before + count
        );

    private static string? Label(string labels, string name) =>
        Regex.Match(labels, $"(?:^|,){name}=\"([^\"]*)\"") is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex(@"^http_server_request_duration_seconds_count\{(.*)\} (\d+)", RegexOptions.Multiline)]
    private static partial Regex Series();
}
