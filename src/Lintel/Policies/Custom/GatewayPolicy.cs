using System.Diagnostics.CodeAnalysis;

namespace Lintel.Policies.Custom;

/// <summary>
/// A policy of the application that embeds the gateway. Registered by <c>AddLintelPolicy</c> under a name; routes refer to it by this name
/// in <c>policies</c>, beside those of the configuration.
/// </summary>
/// <remarks>
/// <para>
/// One instance serves all requests of all routes that refer to it, concurrently, for as long as the host runs: reloads keep it. Within
/// each phase, policies of the application run after those of the configuration, in the order of the route's list.
/// </para>
/// <para>
/// An exception in the first two methods is a 500, an exception in <see cref="Respond"/> replaces the response by a problem, one in
/// <see cref="Conclude"/> is logged.
/// </para>
/// </remarks>
[Experimental(Id)]
public abstract class GatewayPolicy
{
    internal const string Id = "LINTEL001";

    /// <summary>Phase 2: may refuse a request before it is processed any further. By default it admits every request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="cancellationToken">Canceled when the client disconnects.</param>
    /// <returns>Why the request is refused; <see langword="null"/> admits it.</returns>
    public virtual ValueTask<PolicyRefusal?> AdmitAsync(PolicyContext context, CancellationToken cancellationToken) => default;

    /// <summary>Phase 3: may answer an admitted request in place of the route's action. By default it does not.</summary>
    /// <param name="context">The request.</param>
    /// <param name="cancellationToken">Canceled when the client disconnects.</param>
    /// <returns>The answer; <see langword="null"/> lets the route's action answer.</returns>
    public virtual ValueTask<PolicyAnswer?> AnswerAsync(PolicyContext context, CancellationToken cancellationToken) => default;

    /// <summary>
    /// Phase 5: may change status and headers of a response before its head is sent. Called once for each response of the route, whoever
    /// made it: a service, a composition, or the gateway itself for an error.
    /// </summary>
    /// <param name="context">The request and its response.</param>
    public virtual void Respond(PolicyContext context) { }

    /// <summary>Phase 6: observes how a request ended, including refused ones.</summary>
    /// <param name="context">The request and its response.</param>
    /// <param name="error">The kind of the gateway's error, such as <c>connection-refused</c>; <see langword="null"/> for none.</param>
    public virtual void Conclude(PolicyContext context, string? error) { }
}
