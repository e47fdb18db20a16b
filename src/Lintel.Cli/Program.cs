using System.CommandLine;
using Lintel.Cli.Commands;

var root = new RootCommand("Lintel, an API gateway: one address in front of your microservices.");
root.Subcommands.Add(RunCommand.Create());
root.Subcommands.Add(DemoCommand.Create());
root.Subcommands.Add(ValidateCommand.Create());
root.Subcommands.Add(SchemaCommand.Create());

// Signals are RunCommand's: the library would cancel on the first one and kill on a timer.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }).ConfigureAwait(false);
