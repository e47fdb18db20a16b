using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Policies;

namespace Lintel.Runtime;

/// <summary>
/// Owns the running policies, whose state outlives a reload: a policy lives as long as a snapshot uses it, and an equal configuration at
/// the same place gets the same one again.
/// </summary>
/// <remarks>Thread rule: every member takes the lock; none is on the request path.</remarks>
internal sealed class PolicyRegistry
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Place, PolicyConfig Config), (Policy Policy, int Uses)> _policies = [];

    /// <summary>
    /// The policy of this place and configuration, with one more user. Each call is followed by one <see cref="Release"/>.
    /// </summary>
    public Policy Acquire(string place, PolicyConfig config)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies.GetValueOrDefault((place, config));
            policy ??= PolicyCatalog.Of(config).Kind.Create(config);
            _policies[(place, config)] = (policy, uses + 1);
            return policy;
        }
    }

    /// <summary>One user fewer. The last one ends the policy.</summary>
    public void Release(string place, PolicyConfig config)
    {
        lock (_lock)
        {
            var (policy, uses) = _policies[(place, config)];
            if (uses > 1)
            {
                _policies[(place, config)] = (policy, uses - 1);
                return;
            }

            _policies.Remove((place, config));
            (policy as IDisposable)?.Dispose();
        }
    }
}
