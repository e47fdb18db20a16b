using Lintel.Errors;
using Lintel.Identities;

namespace Lintel.Pipeline;

/// <summary>A rule that routes apply to their requests. The interfaces below declare the phases that it takes part in.</summary>
/// <remarks>
/// Thread rule: one instance serves all requests of all routes that reference it concurrently, and survives reloads that do not change it.
/// It is stateless or synchronizes its own state. It accesses requests and responses through <see cref="Exchange"/> only and never keeps
/// one. Policies are compiled into the route's <see cref="PolicySet"/> in the catalog's order, independent of the order in the
/// configuration.
/// </remarks>
internal abstract class Policy;

/// <summary>Phase 2: may refuse a request before it is processed any further.</summary>
internal interface IAdmitting
{
    /// <summary>Checks a request.</summary>
    /// <returns>Why it is refused; <see langword="null"/> admits it.</returns>
    public ValueTask<GatewayError?> AdmitAsync(Exchange exchange);
}

/// <summary>Phase 3: may respond to an admitted request in place of the route's target.</summary>
internal interface IAnswering
{
    /// <summary>Responds by setting the response's status and headers and writing its content, if any.</summary>
    /// <returns>Whether it responded.</returns>
    public ValueTask<bool> AnswerAsync(Exchange exchange);
}

/// <summary>Phase 5: modifies every response of its routes, including problems, before the head is sent.</summary>
internal interface IResponding
{
    /// <summary>
    /// Modifies the response's status and headers. Called once for each response. An exception turns the response into a problem; if it
    /// occurs for the problem too, the response is cut off.
    /// </summary>
    public void Respond(Exchange exchange);
}

/// <summary>Phase 6: observes how each request of its routes ended, including refused ones.</summary>
internal interface IConcluding
{
    /// <summary>Called when the request has ended. Exceptions are written to the error log; the other policies are still called.</summary>
    public void Conclude(Exchange exchange, GatewayError? error);
}

/// <summary>
/// Answers CORS preflights of its routes (Fetch standard, section 3.2.2) before admission: a preflight carries no credentials.
/// </summary>
internal interface IPreflighting
{
    /// <summary>Responds to the preflight of a request that would match the route.</summary>
    /// <returns>Why the request would be refused; <see langword="null"/> after a response.</returns>
    public GatewayError? Preflight(Exchange exchange);
}

/// <summary>A policy that does something on its own, such as fetching keys; it ends with <see cref="IDisposable.Dispose"/>.</summary>
internal interface IStarting
{
    /// <summary>Called whenever a snapshot with the policy goes live. Returns at once.</summary>
    public void Start();
}

/// <summary>A policy that refers to parameters of its routes by their names: a route without one of them cannot use it.</summary>
internal interface IReadingParameters
{
    /// <summary>The names.</summary>
    public IEnumerable<string> Parameters { get; }
}

/// <summary>The policies of a route, as one array for each phase. A phase without policies costs one length check.</summary>
internal sealed class PolicySet
{
    private PolicySet(IReadOnlyList<Policy> policies)
    {
        Admitting = [.. policies.OfType<IAdmitting>()];
        Answering = [.. policies.OfType<IAnswering>()];
        Responding = [.. policies.OfType<IResponding>()];
        Concluding = [.. policies.OfType<IConcluding>()];
        All = policies;
        Credentials = [.. policies.OfType<AuthenticationPolicy>().SelectMany(p => p.Places).Distinct()];
        Preflight = policies.OfType<IPreflighting>().FirstOrDefault();
    }

    /// <summary>The shared instance of routes without policies.</summary>
    public static PolicySet None { get; } = new([]);

    /// <summary>All policies, regardless of phase.</summary>
    public IReadOnlyList<Policy> All { get; }

    /// <summary>Where requests may carry credentials that the policies examine, apart from <c>Authorization</c>.</summary>
    public Credential[] Credentials { get; }

    public IAdmitting[] Admitting { get; }

    public IAnswering[] Answering { get; }

    public IResponding[] Responding { get; }

    public IConcluding[] Concluding { get; }

    /// <summary>The policy that responds to CORS preflights; <see langword="null"/> if the service does.</summary>
    public IPreflighting? Preflight { get; }

    /// <summary>Creates the set from policies in the order in which each phase calls them.</summary>
    public static PolicySet Of(IReadOnlyList<Policy> policies) => policies.Count == 0 ? None : new(policies);
}
