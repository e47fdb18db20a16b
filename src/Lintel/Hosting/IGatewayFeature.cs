namespace Lintel.Hosting;

/// <summary>
/// What the gateway did with a request of the application that embeds it: for the application's middleware, by
/// <c>context.Features.Get&lt;IGatewayFeature&gt;()</c>.
/// </summary>
/// <remarks>
/// Absent until the gateway takes the request, so that it is available after <c>await next(context)</c> and in <c>Response.OnStarting</c>.
/// </remarks>
public interface IGatewayFeature
{
    /// <summary>The name of the route that matched; <see langword="null"/> if none did, or the request was refused before.</summary>
    public string? Route { get; }

    /// <summary>The name of the service that was chosen; <see langword="null"/> if none was, as for redirects and compositions.</summary>
    public string? Service { get; }

    /// <summary>The address of the instance of the last attempt; <see langword="null"/> if there was none.</summary>
    public string? Instance { get; }
}
