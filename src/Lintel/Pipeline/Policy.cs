using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>
/// A rule that routes apply to their requests. Each phase that it takes part in is an interface below.
/// </summary>
/// <remarks>
/// Thread rule: one instance serves all requests of all routes that name it, at once, and outlives reloads that do not change it: it is
/// stateless, or guards its state by itself. It sees requests and responses through <see cref="Exchange"/> alone, never keeps one, and is
/// compiled into the route's <see cref="PolicySet"/> in the catalogue's order, whatever order the configuration lists.
/// </remarks>
internal abstract class Policy;

/// <summary>Phase 2: may refuse a request before anything is done for it.</summary>
internal interface IAdmitting
{
    /// <summary>Looks at a request.</summary>
    /// <returns>Why it is refused; <see langword="null"/> admits it.</returns>
    public ValueTask<GatewayError?> AdmitAsync(Exchange exchange);
}

/// <summary>Phase 3: may answer an admitted request in the place of the route's target.</summary>
internal interface IAnswering
{
    /// <summary>Answers by setting the response's status and headers, and writing what content it has.</summary>
    /// <returns>Whether it answered.</returns>
    public ValueTask<bool> AnswerAsync(Exchange exchange);
}

/// <summary>Phase 5: changes every response of its routes, problems included, before the head leaves.</summary>
internal interface IResponding
{
    /// <summary>
    /// Changes the response's status and headers. Called once for each response. What is thrown here makes the response a problem, and
    /// where that fails too, cuts it off.
    /// </summary>
    public void Respond(Exchange exchange);
}

/// <summary>Phase 6: is told how each request of its routes ended, refused ones included.</summary>
internal interface IConcluding
{
    /// <summary>The request is over. What is thrown here goes to the error log, and the other policies are told all the same.</summary>
    public void Conclude(Exchange exchange, GatewayError? error);
}

/// <summary>
/// Answers CORS preflights of its routes (Fetch standard, section 3.2.2) before admission: a preflight carries no credentials.
/// </summary>
internal interface IPreflighting
{
    /// <summary>Answers the preflight of a request that would be the route's.</summary>
    /// <returns>Why the request would be refused; <see langword="null"/> after an answer.</returns>
    public GatewayError? Preflight(Exchange exchange);
}

/// <summary>A route's policies, an array for each phase. A phase without policies costs the test of a length.</summary>
internal sealed class PolicySet
{
    private PolicySet(IReadOnlyList<Policy> policies)
    {
        Admitting = [.. policies.OfType<IAdmitting>()];
        Answering = [.. policies.OfType<IAnswering>()];
        Responding = [.. policies.OfType<IResponding>()];
        Concluding = [.. policies.OfType<IConcluding>()];
        All = policies;
        Preflight = policies.OfType<IPreflighting>().FirstOrDefault();
    }

    /// <summary>One for all routes that have none.</summary>
    public static PolicySet None { get; } = new([]);

    /// <summary>Whatever phases they take part in.</summary>
    public IReadOnlyList<Policy> All { get; }

    public IAdmitting[] Admitting { get; }

    public IAnswering[] Answering { get; }

    public IResponding[] Responding { get; }

    public IConcluding[] Concluding { get; }

    /// <summary>What answers CORS preflights; <see langword="null"/> where the service does.</summary>
    public IPreflighting? Preflight { get; }

    /// <summary>Policies in the order in which each phase asks them.</summary>
    public static PolicySet Of(IReadOnlyList<Policy> policies) => policies.Count == 0 ? None : new(policies);
}
