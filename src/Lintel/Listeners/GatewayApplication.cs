using Lintel.Carriers;
using Lintel.Listeners.Framing;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Listeners;

/// <summary>Hands requests straight to the pipeline.</summary>
internal sealed class GatewayApplication(RequestHandler handle, IServiceScopeFactory scopes, ListenerIdentity listener)
    : IHttpApplication<ReusableHttpContext>
{
    public ReusableHttpContext CreateContext(IFeatureCollection contextFeatures)
    {
        if (contextFeatures is not IHostContextContainer<ReusableHttpContext> container)
            return new ReusableHttpContext(contextFeatures, scopes);
        if (container.HostContext is { } kept)
            kept.Http.Initialize(contextFeatures);
        else
            container.HostContext = new ReusableHttpContext(contextFeatures, scopes);
        return container.HostContext;
    }

    public Task ProcessRequestAsync(ReusableHttpContext context)
    {
        var (http, client) = (context.Http, context.Client);
        context.Connection?.RequestBegins();
        if (client is null)
            CheckScheme(http);
        if (
            client is not null
            && http.Request.Headers.Upgrade.Count > 0
            && http.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade
        )
            http.Features.Set<IHttpUpgradeFeature>(
                new GuardedUpgrade(upgrade, http.Features.GetRequiredFeature<FramingGuard>(), client.Loop)
            );
        return handle(context.Request, listener);
    }

    /// <summary>
    /// HTTP/2 and HTTP/3 use <c>:scheme</c> as the scheme of the request. Here it is the scheme of the connection; other values must come
    /// from a trusted peer.
    /// </summary>
    private static void CheckScheme(HttpContext http)
    {
        var scheme =
            HttpProtocol.IsHttp3(http.Request.Protocol) || http.Features.Get<ITlsHandshakeFeature>() is not null ? "https" : "http";
        var claimed = http.Request.Scheme;
        if (claimed == scheme)
            return;
        http.Request.Scheme = scheme;
        if (!claimed.Equals(scheme, StringComparison.OrdinalIgnoreCase))
            http.Features.Set(new RequestFraming { ClaimedScheme = claimed.ToLowerInvariant() });
    }

    public void DisposeContext(ReusableHttpContext context, Exception? exception)
    {
        context.Http.Uninitialize();
        context.Connection?.RequestEnds();
    }
}

/// <summary>
/// The state that Kestrel keeps for an HTTP/1.1 connection, or a stream of a later version, between requests; as in ASP.NET Core's hosting.
/// </summary>
/// <param name="features">The connection's or stream's.</param>
/// <param name="scopes">The factory of service scopes.</param>
internal sealed class ReusableHttpContext(IFeatureCollection features, IServiceScopeFactory scopes)
{
    public DefaultHttpContext Http { get; } = new(features) { ServiceScopeFactory = scopes };

    /// <summary>What the listener counts; <see langword="null"/> for QUIC.</summary>
    public ListenerConnection? Connection { get; } = features.Get<ListenerConnection>();

    /// <summary>The connection if it is an HTTP/1.1 connection: its framing is checked.</summary>
    public ClientConnection? Client { get; } =
        features.Get<RequestFraming>() is { } framing ? new ClientConnection(features, framing) : null;

    /// <summary>The request at hand.</summary>
    public ClientRequest Request => field ??= new ClientRequest(Http, Client);
}
