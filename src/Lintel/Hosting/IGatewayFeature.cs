namespace Lintel.Hosting;

/// <summary>
/// What the gateway did with a request of an application that it runs in: for the application's middleware, by
/// <c>context.Features.Get&lt;IGatewayFeature&gt;()</c>.
/// </summary>
/// <remarks>
/// Absent until the gateway takes the request, so that it is there for what follows <c>await next(context)</c> and for
/// <c>Response.OnStarting</c>.
/// </remarks>
public interface IGatewayFeature
{
    /// <summary>The name of the route that matched; <see langword="null"/> where none did, or the request was refused before.</summary>
    public string? Route { get; }

    /// <summary>
    /// The name of the service that was chosen; <see langword="null"/> where none was, as for redirects and compositions.
    /// </summary>
    public string? Service { get; }

    /// <summary>The address of the instance that was tried last; <see langword="null"/> where none was.</summary>
    public string? Instance { get; }
}
