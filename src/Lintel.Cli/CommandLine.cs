using System.CommandLine;
using System.CommandLine.Help;
using Lintel.Cli.Commands;

namespace Lintel.Cli;

/// <summary>The commands of <c>lintel</c>.</summary>
internal static class CommandLine
{
    /// <summary>Runs one command.</summary>
    /// <param name="arguments">The arguments of the program.</param>
    /// <param name="surroundings">What a gateway runs in.</param>
    /// <param name="configuration">Has standard output and standard error.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(string[] arguments, Func<Surroundings> surroundings, InvocationConfiguration configuration)
    {
        // Not a RootCommand: that one is called after the assembly, and the program is called lintel.
        var root = new Command("lintel", "Lintel, an API gateway: one address in front of your microservices.")
        {
            new HelpOption(),
            new VersionOption(),
        };
        root.Subcommands.Add(RunCommand.Create(surroundings));
        root.Subcommands.Add(DemoCommand.Create(surroundings));
        root.Subcommands.Add(ValidateCommand.Create());
        root.Subcommands.Add(CheckCommand.Create());
        root.Subcommands.Add(ExplainCommand.Create());
        root.Subcommands.Add(HealthCommand.Create());
        root.Subcommands.Add(StatusCommand.Create());
        root.Subcommands.Add(KeyCommand.Create());
        root.Subcommands.Add(PasswordCommand.Create());
        root.Subcommands.Add(SchemaCommand.Create());

        // Signals are ours: the library would cancel on the first one and kill on a timer.
        configuration.ProcessTerminationTimeout = null;
        return root.Parse(RunCommand.Normalise(arguments)).InvokeAsync(configuration);
    }
}
