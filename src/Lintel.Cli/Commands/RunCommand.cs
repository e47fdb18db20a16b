using System.CommandLine;
using Lintel.Config;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel run FILE…</c></summary>
internal static class RunCommand
{
    private const string LastGood = "--fallback-last-good";

    public static Command Create(Func<Surroundings> surroundings)
    {
        var files = Files();
        var lastGood = new Option<string>(LastGood)
        {
            Description =
                "Save the last configuration that went live, and start from it if the files are invalid or missing. "
                + "Directory: --fallback-last-good=DIR, else $STATE_DIRECTORY, else lintel in $XDG_STATE_HOME or ~/.local/state.",
            HelpName = "DIR",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var level = Level();
        var command = new Command("run", "Runs the gateway. File changes and SIGHUP reload the configuration; SIGTERM drains and stops.")
        {
            files,
            lastGood,
            level,
        };
        command.SetAction(
            (parse, _) =>
                RunAsync(
                    new GatewayProcess(surroundings()) { Level = parse.GetValue(level) },
                    parse.GetValue(files)!,
                    parse.GetResult(lastGood) is null ? null : parse.GetValue(lastGood) ?? "",
                    parse.InvocationConfiguration.Error
                )
        );
        return command;
    }

    /// <summary>
    /// The folder is optional and only taken after <c>=</c>: without one the option goes last, so that no file is taken for its folder.
    /// </summary>
    public static string[] Normalise(string[] arguments) =>
        arguments.Contains(LastGood) && !arguments.Contains("--") ? [.. arguments.Where(a => a != LastGood), LastGood] : arguments;

    private static Option<LogLevel?> Level() =>
        new("--log-level")
        {
            Description =
                "Minimum level of the error log, overrides observability.errorLog.level: "
                + string.Join(", ", ErrorLogConfig.Levels.Select(l => l.Word))
                + ".",
            HelpName = "LEVEL",
            CustomParser = static result =>
            {
                var word = result.Tokens[0].Value;
                foreach (var (name, level) in ErrorLogConfig.Levels)
                {
                    if (name.Equals(word, StringComparison.OrdinalIgnoreCase))
                        return level;
                }

                result.AddError($"--log-level: `{word}` is not one of " + string.Join(", ", ErrorLogConfig.Levels.Select(l => l.Word)));
                return null;
            },
        };

    /// <summary>The files that most commands take.</summary>
    public static Argument<string[]> Files() =>
        new("FILE")
        {
            Description = "YAML or JSON; each file overlays the ones before. A directory stands for all its files, - for standard input.",
            Arity = ArgumentArity.OneOrMore,
        };

    public static void PrintBanner(Gateway gateway, string? admin, TextWriter to)
    {
        var config = gateway.Config!;
        to.WriteLine(
            $"Lintel {typeof(Gateway).Assembly.GetName().Version?.ToString(3)}: {config.Routes.Count} routes to "
                + $"{config.Services.Count} services"
        );
        foreach (var (name, address) in gateway.Addresses)
            to.WriteLine($"  {name, -12} {address}");
        to.WriteLine($"  {"limits", -12} {ProcessLimits.Read()}");
        if (gateway.Fallback is { } fallback)
            to.WriteLine($"  {"LAST GOOD", -12} configuration of {fallback.SavedAt:u}: the given files are not valid, see above");
        to.WriteLine($"  {"admin", -12} {admin ?? "off"}{(admin is null ? "" : "  /health/live /health/ready /metrics /api/v1")}");
    }

    /// <param name="process">Runs the gateway.</param>
    /// <param name="files">The configuration.</param>
    /// <param name="lastGood">Where it is kept; empty for the usual place, <see langword="null"/> not to keep it.</param>
    /// <param name="error">Standard error.</param>
    private static async Task<int> RunAsync(GatewayProcess process, string[] files, string? lastGood, TextWriter error)
    {
        var limits = ProcessLimits.Read();
        if (limits.Descriptors is { } descriptors and < ProcessLimits.FewestDescriptors)
        {
            await error
                .WriteLineAsync(
                    $"At most {descriptors} file descriptors are allowed and at least {ProcessLimits.FewestDescriptors} are needed: "
                        + $"raise the limit (systemd: LimitNOFILE=, Docker: --ulimit nofile=, shell: ulimit -n)"
                )
                .ConfigureAwait(false);
            return ExitCode.Unavailable;
        }

        if (limits.Threads is { } threads && threads < limits.FewestThreads)
        {
            await error
                .WriteLineAsync(
                    $"At most {threads} threads are allowed and at least {limits.FewestThreads} are needed: raise the limit "
                        + $"(Compose: pids_limit, Docker: --pids-limit, systemd: TasksMax=, shell: ulimit -u)"
                )
                .ConfigureAwait(false);
            return ExitCode.Unavailable;
        }

        limits.KeepThreadPoolWithin();
        if (lastGood is null)
            return await process.RunAsync(files, PrintBanner).ConfigureAwait(false);
        if (StateDirectory.Find(lastGood, Environment.GetEnvironmentVariable) is { } folder)
            return await process.RunAsync(files, PrintBanner, services => services.AddLintelLastGood(folder)).ConfigureAwait(false);
        await error.WriteLineAsync($"There is no directory for the last good configuration: write {LastGood}=DIR").ConfigureAwait(false);
        return ExitCode.Invalid;
    }
}
