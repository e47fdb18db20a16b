using System.CommandLine;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel validate FILE…</c></summary>
internal static class ValidateCommand
{
    public static Command Create()
    {
        var files = RunCommand.Files();
        var format = new Option<string>("--format") { Description = "Output format.", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong(ReportFormat.Names);
        var strict = new Option<bool>("--strict") { Description = "Treat warnings as problems: exit with 1." };
        var command = new Command("validate", "Reports every problem of a configuration; exits with 1 if there is any.")
        {
            files,
            format,
            strict,
        };
        command.SetAction(parse =>
            Run(parse.GetValue(files)!, parse.GetValue(format)!, parse.GetValue(strict), parse.InvocationConfiguration.Output)
        );
        return command;
    }

    private static int Run(string[] files, string format, bool isStrict, TextWriter output)
    {
        using var services = new ServiceCollection().AddLogging().AddLintelServer(files).BuildServiceProvider();
        var report = services.GetRequiredService<Gateway>().Validate();
        ReportFormat.Write(report, format, output);
        return report.IsValid && !(isStrict && report.Warnings.Count > 0) ? ExitCode.Ok : ExitCode.Invalid;
    }
}
