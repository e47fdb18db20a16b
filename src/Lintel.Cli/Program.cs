using System.CommandLine;
using System.CommandLine.Help;
using Lintel.Cli;
using Lintel.Cli.Commands;

// Before anything else: a signal in the first moments is for the gateway that is about to be.
using var signals = args.FirstOrDefault() is "run" or "demo" ? Signals.Begin() : null;

// Not a RootCommand: that one is called after the assembly, and the program is called lintel.
var root = new Command("lintel", "Lintel, an API gateway: one address in front of your microservices.")
{
    new HelpOption(),
    new VersionOption(),
};
root.Subcommands.Add(RunCommand.Create(signals));
root.Subcommands.Add(DemoCommand.Create(signals));
root.Subcommands.Add(ValidateCommand.Create());
root.Subcommands.Add(ExplainCommand.Create());
root.Subcommands.Add(HealthCommand.Create());
root.Subcommands.Add(StatusCommand.Create());
root.Subcommands.Add(SchemaCommand.Create());

// Signals are ours: the library would cancel on the first one and kill on a timer.
return await root.Parse(RunCommand.Normalise(args))
    .InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null })
    .ConfigureAwait(false);
