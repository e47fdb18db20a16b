using System.CommandLine;
using Lintel.Cli;

// Before anything else: a signal in the first moments is for the gateway that is about to be.
var process = args.FirstOrDefault() is "run" or "demo" ? Surroundings.OfProcess() : null;
using var signals = process?.Signals;
return await CommandLine.RunAsync(args, () => process ?? Surroundings.OfProcess(), new InvocationConfiguration()).ConfigureAwait(false);
