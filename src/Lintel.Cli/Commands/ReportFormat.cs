using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Config;

namespace Lintel.Cli.Commands;

/// <summary>How what is wrong with a configuration is written, for people and for programs that look at it.</summary>
internal static class ReportFormat
{
    public static readonly string[] Names = ["text", "json", "github", "sarif"];

    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(ConfigReport report, string format, TextWriter to)
    {
        switch (format)
        {
            case "json":
                to.WriteLine(Json(json => WriteJson(report, json)));
                break;
            case "github":
                foreach (var problem in All(report))
                    to.WriteLine(GitHub(problem));
                break;
            case "sarif":
                to.WriteLine(Json(json => WriteSarif(report, json)));
                break;
            default:
                WriteText(report, to);
                break;
        }
    }

    private static IEnumerable<ConfigProblem> All(ConfigReport report) => report.Problems.Concat(report.Warnings);

    private static void WriteText(ConfigReport report, TextWriter to)
    {
        foreach (var problem in All(report))
            to.WriteLine(problem);
        if (report.Count > report.Problems.Count)
            to.WriteLine($"… and {report.Count - report.Problems.Count} more");
        var warnings = report.Warnings.Count switch
        {
            0 => "",
            1 => ", 1 warning",
            var count => $", {count} warnings",
        };
        to.WriteLine((report.IsValid ? "valid" : $"{report.Count} {(report.Count == 1 ? "problem" : "problems")}") + warnings);
    }

    /// <summary>A workflow command of GitHub Actions, which shows it beside the line.</summary>
    private static string GitHub(ConfigProblem problem)
    {
        var place =
            problem.Position.Line == 0
                ? $"file={Property(problem.Position.Source)}"
                : $"file={Property(problem.Position.Source)},line={problem.Position.Line},col={problem.Position.Column}";
        var title = problem.Code + (problem.Path.Length == 0 ? "" : " at " + problem.Path);
        return $"::{Level(problem)} {place},title={Property(title)}::{Escape(Message(problem))}";

        static string Escape(string text) =>
            text.Replace("%", "%25", StringComparison.Ordinal)
                .Replace("\r", "%0D", StringComparison.Ordinal)
                .Replace("\n", "%0A", StringComparison.Ordinal);
        static string Property(string text) =>
            Escape(text).Replace(":", "%3A", StringComparison.Ordinal).Replace(",", "%2C", StringComparison.Ordinal);
    }

    private static string Level(ConfigProblem problem) => problem.Severity == ConfigSeverity.Warning ? "warning" : "error";

    private static string Message(ConfigProblem problem) => problem.Message + (problem.Hint is null ? "" : "; " + problem.Hint);

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Indented))
            write(json);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void WriteJson(ConfigReport report, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteBoolean("valid", report.IsValid);
        json.WriteNumber("count", report.Count);
        WriteProblems("problems", report.Problems, json);
        WriteProblems("warnings", report.Warnings, json);
        json.WriteEndObject();
    }

    private static void WriteProblems(string name, IReadOnlyList<ConfigProblem> problems, Utf8JsonWriter json)
    {
        json.WriteStartArray(name);
        foreach (var problem in problems)
        {
            json.WriteStartObject();
            json.WriteString("code", problem.Code);
            json.WriteString("file", problem.Position.Source);
            json.WriteNumber("line", problem.Position.Line);
            json.WriteNumber("column", problem.Position.Column);
            json.WriteString("path", problem.Path);
            json.WriteString("message", problem.Message);
            json.WriteString("hint", problem.Hint);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>SARIF 2.1.0 (OASIS), which code scanners and editors show.</summary>
    private static void WriteSarif(ConfigReport report, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
        json.WriteString("version", "2.1.0");
        json.WriteStartArray("runs");
        json.WriteStartObject();
        json.WriteStartObject("tool");
        json.WriteStartObject("driver");
        json.WriteString("name", "lintel");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("results");
        foreach (var problem in All(report))
            WriteResult(problem, json);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteResult(ConfigProblem problem, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("ruleId", problem.Code);
        json.WriteString("level", Level(problem));
        json.WriteStartObject("message");
        json.WriteString("text", Message(problem));
        json.WriteEndObject();
        json.WriteStartArray("locations");
        json.WriteStartObject();
        json.WriteStartObject("physicalLocation");
        json.WriteStartObject("artifactLocation");
        json.WriteString("uri", string.Join('/', problem.Position.Source.Split('/').Select(Uri.EscapeDataString)));
        json.WriteEndObject();
        if (problem.Position.Line > 0)
        {
            json.WriteStartObject("region");
            json.WriteNumber("startLine", problem.Position.Line);
            json.WriteNumber("startColumn", problem.Position.Column);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        if (problem.Path.Length > 0)
        {
            json.WriteStartArray("logicalLocations");
            json.WriteStartObject();
            json.WriteString("fullyQualifiedName", problem.Path);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
