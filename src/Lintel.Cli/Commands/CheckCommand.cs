using System.CommandLine;
using Lintel.Control.Checking;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel check FILE…</c></summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var files = RunCommand.Files();
        var format = new Option<string>("--format") { Description = "Output format.", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong(ReportFormat.Names);
        var strict = new Option<bool>("--strict") { Description = "Exit with 1 if a setting is weak." };
        var except = new Option<string[]>("--except")
        {
            Description = "A kind of finding that is intended, by its code; may be repeated.",
            HelpName = "CODE",
        };
        except.AcceptOnlyFromAmong(WeakSettings.Codes);
        var command = new Command(
            "check",
            "Lists weak settings of a valid configuration: routes without authentication, credentials on plain connections, and the like."
        )
        {
            files,
            format,
            strict,
            except,
        };
        command.SetAction(parse =>
        {
            using var services = new ServiceCollection().AddLogging().AddLintelServer(parse.GetValue(files)!).BuildServiceProvider();
            var gateway = services.GetRequiredService<Gateway>();
            var report = WeakSettings.Find(gateway.ReadSource(), gateway.Parts.Compiler, parse.GetValue(except) ?? []);
            ReportFormat.Write(report, parse.GetValue(format)!, parse.InvocationConfiguration.Output);
            return report.IsValid && !(parse.GetValue(strict) && report.Warnings.Count > 0) ? ExitCode.Ok : ExitCode.Invalid;
        });
        return command;
    }
}
