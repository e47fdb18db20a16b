using Lintel.Pipeline;
using Lintel.Policies.Custom;

namespace Lintel.Runtime;

/// <summary>A policy that the application has registered.</summary>
internal sealed record PolicyRegistration(string Name, Func<IServiceProvider, GatewayPolicy> Create);

/// <summary>The policies of the application, by name. Each is created once and lives as long as the host.</summary>
internal sealed class ApplicationPolicies : IDisposable
{
    private readonly Dictionary<string, Policy> _policies = new(StringComparer.Ordinal);
    private readonly List<IDisposable> _owned = [];

    /// <exception cref="ArgumentException">Two policies have the same name.</exception>
    public ApplicationPolicies(IEnumerable<PolicyRegistration> registrations, IServiceProvider services)
    {
        foreach (var registration in registrations)
        {
            var policy = registration.Create(services);
            if (!_policies.TryAdd(registration.Name, new CustomPolicy(policy)))
                throw new ArgumentException($"AddLintelPolicy was called twice with the name `{registration.Name}`");
            if (policy is IDisposable disposable)
                _owned.Add(disposable);
        }
    }

    private ApplicationPolicies() { }

    public static ApplicationPolicies None { get; } = new();

    public IReadOnlyCollection<string> Names => _policies.Keys;

    public Policy? Find(string name) => _policies.GetValueOrDefault(name);

    public void Dispose()
    {
        foreach (var policy in _owned)
            policy.Dispose();
    }
}
