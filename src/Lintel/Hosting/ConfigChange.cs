using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Runtime;

namespace Lintel.Hosting;

/// <summary>A configuration that is about to go live, for those who must follow it: each makes ready what it needs, or refuses.</summary>
/// <remarks>
/// Handlers run one after the other. When all agree, the commits run in their order, after the switch; when anything refuses, the rollbacks
/// run in the opposite order.
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

    /// <summary>Refuses the configuration: the one before goes on, and the report tells why.</summary>
    /// <param name="code">A stable name of the kind of problem; <c>listen</c> where an address cannot be had.</param>
    /// <param name="path">The keys that lead to the value at fault, such as <c>["admin", "address"]</c>.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="hint">What would be right.</param>
    public void Refuse(string code, IEnumerable<string> path, string message, string? hint = null) =>
        new ProblemSink(_source, _report).Add(code, path.Aggregate(KeyPath.Root, (above, key) => above[key]), message, hint);

    /// <summary>Adds what to do once the configuration is live.</summary>
    /// <param name="commit">Must not fail: what can fail belongs before. One that fails all the same is told in the log, and the
    /// configuration stays live.</param>
    public void OnCommit(Func<Task> commit) => _commits.Add((_preparing, commit));

    /// <summary>Adds what to do if the configuration is refused after all.</summary>
    /// <param name="rollback">Puts everything back.</param>
    public void OnRollback(Func<Task> rollback) => _rollbacks.Add((_preparing, rollback));

    /// <summary>A handler that fails refuses: what it was to make ready is not there.</summary>
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

    /// <summary>One that fails keeps none of the others from running.</summary>
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
