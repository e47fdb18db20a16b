namespace Lintel.Pipeline;

/// <summary>
/// A policy that serves paths of its own. The compiler adds a route for each: on the policy's hosts, or on those of the routes that use the
/// policy.
/// </summary>
internal interface IServingEndpoints
{
    /// <summary>The endpoints.</summary>
    public IEnumerable<PolicyEndpoint> Endpoints { get; }

    /// <summary>
    /// The hosts of the endpoints, as in <c>match.hosts</c>; empty for those of the routes that use the policy, and any other.
    /// </summary>
    public IReadOnlyList<string> Hosts { get; }
}

/// <summary>An endpoint of a policy.</summary>
/// <param name="Name">Its name: the route is named after the policy's place and this, as in <c>policies.login/callback</c>.</param>
/// <param name="Path">Its path, without parameters.</param>
/// <param name="Methods">Its methods.</param>
/// <param name="Target">What answers.</param>
internal sealed record PolicyEndpoint(string Name, string Path, string[] Methods, Target Target)
{
    /// <summary>What separates the two parts of a route's name. No name in a configuration contains it.</summary>
    public const char Separator = '/';

    /// <summary>The maximum length of a request's body, in bytes.</summary>
    public long BodyLimit { get; init; } = 64 * 1024;

    /// <summary>Whether a route of this name is an endpoint of a policy.</summary>
    public static bool IsNameOfOne(string route) => route.Contains(Separator);
}

/// <summary>
/// A policy that keeps state in cookies. Services never receive them, on any route: a route without the policy may have the same host.
/// </summary>
internal interface IOwningCookies
{
    /// <summary>Names of cookies. Those that begin with one of them and a dot belong to the policy, too.</summary>
    public IEnumerable<string> Cookies { get; }
}
