using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Runtime;

namespace Lintel.Hosting;

/// <summary>A configuration that is about to go live. Each handler prepares what it needs for it, or refuses it.</summary>
/// <remarks>
/// Handlers run sequentially. If all agree, the commits run in the same order, after the switch; if anything refuses, the rollbacks run in
/// reverse order.
/// </remarks>
public sealed class ConfigChange
{
    private readonly MapNode _source;
    private readonly ConfigReport _report;
    private readonly List<(string Follower, Func<Task> Step)> _commits = [];
    private readonly List<(string Follower, Func<Task> Step)> _rollbacks = [];
    private string _preparing = "";

    internal ConfigChange(GatewayConfig config, MapNode source, ConfigReport report)
    {
        Config = config;
        _source = source;
        _report = report;
    }

    /// <summary>The configuration. It is valid, and not live yet.</summary>
    public GatewayConfig Config { get; }

    /// <summary>Refuses the configuration: the previous one stays live, and the report contains the problem.</summary>
    /// <param name="code">A stable identifier of the kind of problem; <c>listen</c> if an address cannot be bound.</param>
    /// <param name="path">The keys that lead to the invalid value, such as <c>["admin", "address"]</c>.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="hint">What is correct.</param>
    public void Refuse(string code, IEnumerable<string> path, string message, string? hint = null) =>
        new ProblemSink(_source, _report).Add(code, path.Aggregate(KeyPath.Root, (above, key) => above[key]), message, hint);

    /// <summary>Adds an action to run once the configuration is live.</summary>
    /// <param name="commit">Must not fail: what can fail belongs before. A failure is logged, and the configuration stays live.</param>
    public void OnCommit(Func<Task> commit) => _commits.Add((_preparing, commit));

    /// <summary>Adds an action to run if the configuration is refused after all.</summary>
    /// <param name="rollback">Restores the previous state.</param>
    public void OnRollback(Func<Task> rollback) => _rollbacks.Add((_preparing, rollback));

    /// <summary>Runs a handler. One that throws refuses: its preparation is incomplete.</summary>
    internal async Task PrepareAsync(Func<ConfigChange, CancellationToken, Task> handler, CancellationToken cancellation)
    {
        _preparing = Follower.NameOf(handler);
        try
        {
            await handler(this, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Refuse("internal", [], $"the change could not be applied: {e.Message}");
        }
    }

    internal Task CommitAsync(Action<string, Exception> failed) => RunAsync(_commits, failed);

    internal Task RollBackAsync(Action<string, Exception> failed) => RunAsync(Enumerable.Reverse(_rollbacks), failed);

    /// <summary>Runs the steps. A failure does not prevent the others from running.</summary>
    private static async Task RunAsync(IEnumerable<(string Follower, Func<Task> Step)> steps, Action<string, Exception> failed)
    {
        foreach (var (follower, step) in steps)
        {
            try
            {
                await step().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                failed(follower, e);
            }
        }
    }
}
