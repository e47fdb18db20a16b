using System.CommandLine;
using System.Text.Json;
using Lintel.Config;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel validate FILE…</c></summary>
internal static class ValidateCommand
{
    public static Command Create()
    {
        var files = RunCommand.Files();
        var format = new Option<string>("--format") { Description = "How problems are told.", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("text", "json");
        var command = new Command("validate", "Tells everything that is wrong with a configuration; exits with 1 if anything is.") { files, format };
        command.SetAction(parse => Run(parse.GetValue(files)!, parse.GetValue(format) == "json"));
        return command;
    }

    private static int Run(string[] files, bool asJson)
    {
        using var services = new ServiceCollection().AddLogging().AddLintelServer(files).BuildServiceProvider();
        var report = services.GetRequiredService<Gateway>().Validate();
        Write(report, asJson);
        return report.IsValid ? ExitCode.Ok : ExitCode.Invalid;
    }

    /// <summary>Tells a report, on standard output.</summary>
    public static void Write(ConfigReport report, bool asJson)
    {
        if (asJson)
            WriteJson(report);
        else
            WriteText(report);
    }

    private static void WriteText(ConfigReport report)
    {
        foreach (var problem in report.Problems.Concat(report.Warnings))
            Console.WriteLine(problem);
        if (report.Count > report.Problems.Count)
            Console.WriteLine($"… and {report.Count - report.Problems.Count} more");
        Console.WriteLine(report.IsValid ? "valid" : $"{report.Count} {(report.Count == 1 ? "problem" : "problems")}");
    }

    private static void WriteJson(ConfigReport report)
    {
        using (var json = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteBoolean("valid", report.IsValid);
            json.WriteNumber("count", report.Count);
            json.WriteStartArray("problems");
            foreach (var problem in report.Problems)
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
            json.WriteEndObject();
        }

        Console.WriteLine();
    }
}
