using Lintel.Cli.Logging;

namespace Lintel.Cli;

/// <summary>What a running gateway takes from its process; a test that runs the program in its own process passes others.</summary>
/// <param name="Signals">The signals, including those already received.</param>
/// <param name="OpenErrorOutput">Opens standard error.</param>
internal sealed record Surroundings(Signals Signals, Func<ErrorOutput> OpenErrorOutput)
{
    /// <summary>Those of the process: takes over its signals, and its standard error once a gateway runs.</summary>
    public static Surroundings OfProcess() => new(Signals.Begin(), ErrorOutput.Install);
}
